"""What a camera did not deliver: rows of a frame, whole frames, strip while it was away."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LAST_16_BIT_ID = 65_535
_HEADERS_BYTES = 48
"""Most that IP, UDP and GVSP (64-bit ids) take of a packet: 20 + 8 + 20; GigE Vision 2.0."""

_RATE_WINDOW_S = 1.0


def lost_rows(
    data: NDArray[np.uint8], *, row_bytes: int, packet_bytes: int | None
) -> tuple[tuple[int, int], ...]:
    """Return which rows of an incomplete block were not received.

    The memory is zero before the camera writes to it. A packet that did not come leaves at least
    its payload of zeros, or all zeros up to the end, as the last packet may be short. So no lost
    packet is overlooked; black metal beside one may be called lost as well.

    Args:
        data: uint8 ``[bytes]``, whole rows.
        row_bytes: Bytes of a row.
        packet_bytes: Size of a packet with its headers; None where there are no packets, and an
            incomplete block is lost as a whole.

    Returns:
        Ranges of rows ``(start, stop)``, in order, apart from each other.
    """
    rows = data.size // row_bytes
    if packet_bytes is None:
        return ((0, rows),)
    written = np.concatenate([[-1], np.flatnonzero(data), [data.size]])
    holes = np.diff(written) - 1
    lost_bytes = holes >= packet_bytes - _HEADERS_BYTES
    lost_bytes[-1] = holes[-1] > 0
    ranges: list[tuple[int, int]] = []
    for hole in np.flatnonzero(lost_bytes):
        start = int(written[hole] + 1) // row_bytes
        stop = -(-int(written[hole + 1]) // row_bytes)
        if ranges and start <= ranges[-1][1]:
            start = ranges.pop()[0]
        ranges.append((start, stop))
    return tuple(ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMark:
    """What a frame says of its place in the sequence.

    Attributes:
        lines: Lines of the frame.
        host_ns: ``time.monotonic_ns()`` when it had arrived.
        frame_id: The camera's count of frames; None where the packet that tells it was lost.
        encoder_count: Encoder count at its first line, where the camera tells it.
    """

    lines: int
    host_ns: int
    frame_id: int | None
    encoder_count: int | None = None


class GapMeter:
    """Counts the lines that are missing before each frame.

    Within a session of the camera the frame ids tell. GigE Vision counts with 16 bits from 1 to
    65535 and then from 1 again, or with 64 bits; USB3 Vision with 64. A camera that was away
    begins anew: then the encoder tells, where the camera has one, or else the time and the rate
    of lines before.

    Args:
        line_rate_hz: Lines a second, until they are measured; None where that is not known.
    """

    def __init__(self, line_rate_hz: float | None) -> None:
        self._rate_hz = line_rate_hz or 0.0
        self._rate_known = line_rate_hz is not None
        self._last: FrameMark | None = None
        self._frame_id: int | None = None  # the last that is known
        self._nameless = 0  # frames since then whose id is not
        self._window: tuple[int, int] | None = None  # its start in ns, and lines since then
        self._counts_per_line = 0.0
        self._away = False
        self._reported = 0

    def lines_before(self, frame: FrameMark) -> int:
        """Return how many lines are missing between the frame before and this one."""
        last = self._last
        if last is None:
            missing = 0
        elif self._away:
            missing = max(self._lines_away(last, frame) - self._reported, 0)
        else:
            missing = self._missing(last, frame)
            self._measure(last, frame, missing)
        self._keep(frame)
        return missing

    def interrupt(self) -> None:
        """Say that the camera is gone: the next frame begins another count of frames."""
        if self._last is not None and not self._away:
            self._away, self._reported, self._window = True, 0, None

    def passed(self, host_ns: int, *, final: bool = False) -> int:
        """Return how many more lines have passed since the camera is gone.

        Where the encoder will tell it, nothing is said before that.

        Args:
            host_ns: ``time.monotonic_ns()`` now.
            final: Whether nothing will come any more, so that time must do.
        """
        if self._last is None or not self._away or (self._counts_per_line and not final):
            return 0
        lines = int(self._rate_hz * (host_ns - self._last.host_ns) / 1e9) - self._reported
        self._reported += max(lines, 0)
        return max(lines, 0)

    def _keep(self, frame: FrameMark) -> None:
        if frame.frame_id is not None:
            self._frame_id, self._nameless = frame.frame_id, 0
        elif self._away:
            self._frame_id = None
        else:
            self._nameless += 1
        self._last, self._away, self._reported = frame, False, 0

    def _missing(self, last: FrameMark, frame: FrameMark) -> int:
        """Return the missing lines before a frame of the same session."""
        if frame.frame_id is None or self._frame_id is None:
            return 0
        frames = frame.frame_id - self._frame_id - self._nameless - 1
        if frames < 0 and self._frame_id <= _LAST_16_BIT_ID:
            frames += _LAST_16_BIT_ID
        if 0 <= frames <= _LAST_16_BIT_ID // 2 or frame.frame_id > self._frame_id:
            return frames * last.lines
        return self._lines_away(last, frame)  # no wrap: the camera began to count anew

    def _lines_away(self, last: FrameMark, frame: FrameMark) -> int:
        """Return the lines between the last frame before the camera was gone and the first after.

        At least one block is called lost: what the camera had begun never came.
        """
        lines = round(self._rate_hz * (frame.host_ns - last.host_ns) / 1e9) - frame.lines
        counts = _counts(last, frame)
        if self._counts_per_line and counts > 0:  # else the camera has lost its count as well
            lines = round(counts / self._counts_per_line) - last.lines
        return max(lines, last.lines)

    def _measure(self, last: FrameMark, frame: FrameMark, missing: int) -> None:
        lines = missing + frame.lines
        start_ns, before = self._window or (last.host_ns, 0)
        passed_s = (frame.host_ns - start_ns) / 1e9
        self._window = (start_ns, before + lines)
        if passed_s > 0 and not self._rate_known:
            self._rate_hz = (before + lines) / passed_s
        if passed_s >= _RATE_WINDOW_S:
            self._rate_hz = (before + lines) / passed_s
            self._rate_known, self._window = True, (frame.host_ns, 0)
        self._counts_per_line = max(_counts(last, frame) / (missing + last.lines), 0.0)


def _counts(last: FrameMark, frame: FrameMark) -> int:
    """Return the encoder counts from one frame to another; 0 where one has none."""
    if last.encoder_count is None or frame.encoder_count is None:
        return 0
    return frame.encoder_count - last.encoder_count
