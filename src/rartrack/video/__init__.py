"""Reading and writing video, and drawing on it."""

from rartrack.video.frames import Frame, FrameSource, VideoWarning, open_source
from rartrack.video.images import ImageFrames
from rartrack.video.random_access import VideoFrames

__all__ = ["Frame", "FrameSource", "ImageFrames", "VideoFrames", "VideoWarning", "open_source"]
