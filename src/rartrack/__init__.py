"""Follow objects through video, given only a box in the first frame."""

__version__ = "0.1.0.dev0"
