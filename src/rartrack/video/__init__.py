"""Reading and writing video, and drawing on it."""
