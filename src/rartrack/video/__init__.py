"""Reading and writing video, and drawing on it."""

from rartrack.video.frames import Frame, FrameSource, VideoWarning, open_source
from rartrack.video.images import ImageFrames
from rartrack.video.overlay import draw
from rartrack.video.random_access import VideoFrames
from rartrack.video.writing import VIDEO_SUFFIXES, VideoWriter

__all__ = [
    "VIDEO_SUFFIXES",
    "Frame",
    "FrameSource",
    "ImageFrames",
    "VideoFrames",
    "VideoWarning",
    "VideoWriter",
    "draw",
    "open_source",
]
