"""Image files as a strip: each file is a block, one after the other."""

import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, BlockStatus
from stripscan.contract.errors import ConfigError, DataError
from stripscan.dataset.images import IMAGE_SUFFIXES, read_grey
from stripscan.runtime.conditioning.transfer import to_uint8
from stripscan.runtime.sources.base import BlockCounter
from stripscan.runtime.station import CameraSection
from stripscan.runtime.station_sources import FolderSource

_log = logging.getLogger(__name__)


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Return a sort key that puts ``img2`` before ``img10``.

    Example:
        >>> sorted(["img10.png", "img2.png"], key=natural_key)
        ['img2.png', 'img10.png']
    """
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return (*((int(digits or -1), text) for digits, text in parts), (0, name))


class FolderFrames:
    """The images of one folder, in natural order. Each has the width of the first."""

    def __init__(self, source: FolderSource, camera: CameraSection) -> None:
        self._source = source
        self._camera = camera
        self._counter = BlockCounter(camera=camera.name, mm_per_line=camera.mm_per_line)
        self._stop = threading.Event()
        self._files: list[Path] = []
        self._width_px = 0

    def __enter__(self) -> Self:
        folder = self._source.path
        if not folder.is_dir():
            raise DataError(f"no such folder: {folder}. Set source.path to a folder of images")
        try:
            files = [
                f for f in folder.glob(self._source.pattern) if f.suffix.lower() in IMAGE_SUFFIXES
            ]
        except (NotImplementedError, ValueError) as error:
            raise ConfigError(
                f"source.pattern = {self._source.pattern!r} fits no file names: {error}. "
                "Write it like *.png"
            ) from error
        self._files = sorted(files, key=lambda f: natural_key(str(f.relative_to(folder))))
        if not self._files:
            raise DataError(
                f"no image in {folder} fits pattern {self._source.pattern!r}. "
                f"Images end in {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        self._width_px = self._of_8_bits(self._files[0], read_grey(self._files[0])).shape[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()

    def blocks(self) -> Iterator[Block]:
        """Yield a block for each file.

        Raises:
            DataError: An image has another width than the first, other bits than the camera, or
                cannot be read while ``on_bad_image`` is ``stop``.
        """
        lines = 0
        for file in self._files:
            if self._stop.is_set():
                return
            block = self._block_of(file, lines_before=lines, last=file is self._files[-1])
            lines = block.pixels.shape[0]
            yield block

    def _block_of(self, file: Path, *, lines_before: int, last: bool) -> Block:
        """Return the block of one file; lost lines, as many as before, if it cannot be read."""
        try:
            grey = read_grey(file)
        except DataError as error:
            if self._source.on_bad_image == "stop" or not lines_before:
                raise
            _log.warning("%d lines are lost: %s", lines_before, error)
            blank = np.zeros((lines_before, self._width_px), np.uint8)
            return self._counter.block(blank, status=BlockStatus.LOST_LINES)
        pixels = self._of_8_bits(file, grey)
        if pixels.shape[1] != self._width_px:
            raise DataError(
                f"{file} is {pixels.shape[1]} px wide and {self._files[0]} {self._width_px} px: "
                "images of one strip have one width"
            )
        short = last and pixels.shape[0] < lines_before
        return self._counter.block(
            pixels, status=BlockStatus.PARTIAL if short else BlockStatus.COMPLETE
        )

    def _of_8_bits(
        self, file: Path, grey: NDArray[np.uint8] | NDArray[np.uint16]
    ) -> NDArray[np.uint8]:
        bits = self._camera.bits
        if (grey.dtype == np.uint8) != (bits == 8):
            raise DataError(
                f"{file} is an image of {8 * grey.itemsize} bits and camera.bits = {bits}: set it "
                "to 8 for images of 8 bits, and to what the camera fills (10, 12, 14 or 16) for "
                "images of 16"
            )
        if bits == 8:
            return np.asarray(grey, np.uint8)
        try:
            return to_uint8(np.asarray(grey, np.uint16), bits=bits, transfer=self._camera.transfer)
        except DataError as error:
            raise DataError(f"{file}: {error}") from error

    def stop(self) -> None:
        """Make :meth:`blocks` end before the next file."""
        self._stop.set()

    @property
    def width_px(self) -> int:
        """Width of the first image in px."""
        return self._width_px

    @property
    def live(self) -> bool:
        """False: files wait."""
        return False

    @property
    def total_lines(self) -> int | None:
        """None: the heights are known only when all files are read."""
        return None
