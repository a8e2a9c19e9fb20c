"""Where lines come from: cameras, folders of images, video, and the simulated strip."""

from stripscan.runtime.sources.base import FrameSource
from stripscan.runtime.sources.folder import FolderFrames
from stripscan.runtime.sources.genicam import GenicamFrames
from stripscan.runtime.sources.simulator import SimulatorFrames
from stripscan.runtime.sources.video import VideoFrames
from stripscan.runtime.station import Station
from stripscan.runtime.station_genicam import GenicamSource
from stripscan.runtime.station_sources import FolderSource, VideoSource

__all__ = ["FrameSource", "open_source"]


def open_source(station: Station) -> FrameSource:
    """Return the source that a station file asks for, to be entered.

    Raises:
        StripscanError: The source cannot be made with these settings.
    """
    source, camera = station.source, station.camera
    if isinstance(source, FolderSource):
        return FolderFrames(source, camera)
    if isinstance(source, VideoSource):
        return VideoFrames(source, camera)
    if isinstance(source, GenicamSource):
        return GenicamFrames(source, camera)
    return SimulatorFrames(source, camera, station.encoder)
