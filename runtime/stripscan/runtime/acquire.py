"""Whether a station's lines come through a thread or through a process of their own."""

from collections.abc import Generator
from typing import Protocol

from stripscan.contract.block import Block
from stripscan.runtime.acquisition import Acquisition
from stripscan.runtime.acquisition_process import AcquisitionProcess, is_camera
from stripscan.runtime.sources import FrameSource, open_source
from stripscan.runtime.station import Station
from stripscan.runtime.station_pipeline import PipelineSection


class BlockQueue(Protocol):
    """Blocks of an entered source, behind a bounded queue.

    Pixels of a block are valid until the next but one is asked for.
    """

    def blocks(self) -> Generator[Block, None, None]:
        """Yield blocks until the source has ended and the queue is empty.

        Raises:
            StripscanError: What ended the source, after its last block was yielded.
        """
        ...

    def stop(self) -> None:
        """Let the source end; blocks that have arrived are still yielded."""

    @property
    def waiting_blocks(self) -> int:
        """How many blocks wait."""
        ...

    @property
    def dropped_blocks(self) -> int:
        """How many blocks the policy has dropped."""
        ...

    @property
    def dropped_lines(self) -> int:
        """How many lines they had."""
        ...


def open_lines(station: Station) -> FrameSource:
    """Return the source of a station, to be entered; in a process of its own where it says so.

    Raises:
        StripscanError: The source cannot be made with these settings.
    """
    process = station.pipeline.process
    if process is True or (process == "auto" and is_camera(station)):
        return AcquisitionProcess(station)
    return open_source(station)


def acquire(source: FrameSource, pipeline: PipelineSection) -> BlockQueue:
    """Return the queue behind an entered source of :func:`open_lines`."""
    if isinstance(source, AcquisitionProcess):
        return source
    return Acquisition(source, pipeline)
