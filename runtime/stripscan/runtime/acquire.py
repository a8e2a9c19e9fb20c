"""Whether a station's lines come through a thread or through a process of their own."""

from functools import partial

from stripscan.runtime.acquisition import Acquisition
from stripscan.runtime.acquisition_process import AcquisitionProcess, is_camera
from stripscan.runtime.block_queue import BlockQueue
from stripscan.runtime.panorama.cameras import JoinedCameras
from stripscan.runtime.panorama.sections import camera_stations
from stripscan.runtime.sources import FrameSource, open_source
from stripscan.runtime.station import Station
from stripscan.runtime.station_pipeline import PipelineSection

__all__ = ["BlockQueue", "acquire", "open_lines"]


def open_lines(station: Station) -> FrameSource:
    """Return the source of a station, to be entered; in a process of its own where it says so.

    Several cameras are one source, each with a thread or a process of its own.

    Raises:
        StripscanError: The source cannot be made with these settings.
    """
    if station.view:
        sources = [open_lines(each) for each in camera_stations(station)]
        return JoinedCameras(station, sources, acquire=partial(acquire, pipeline=station.pipeline))
    process = station.pipeline.process
    if process is True or (process == "auto" and is_camera(station)):
        return AcquisitionProcess(station)
    return open_source(station)


def acquire(source: FrameSource, pipeline: PipelineSection) -> BlockQueue:
    """Return the queue behind an entered source of :func:`open_lines`."""
    if isinstance(source, AcquisitionProcess | JoinedCameras):
        return source
    return Acquisition(source, pipeline)
