"""Let a person draw the box: the one place that opens a window."""

from __future__ import annotations

import os
import sys
from typing import Any

import cv2

from rartrack.boxes import Box
from rartrack.video.images import Image

_SHARE_OF_SCREEN = 0.9
_LEAST_SIDE = 3
"""Sides below this many pixels on the screen are a click, not a box."""
_HELP = "Draw a box around the object with the mouse. Enter or double click: take it. Esc: leave."


def screen_available() -> bool:
    """Whether a window can be opened: there is a display, and Python was built with tkinter."""
    if sys.platform not in ("win32", "darwin") and not os.environ.get("DISPLAY"):
        return False
    try:
        import tkinter
    except ImportError:
        return False
    try:
        root = tkinter.Tk()
    except tkinter.TclError:
        return False
    root.destroy()
    return True


def select_box(image: Image, title: str = "rartrack") -> Box | None:
    """Show a frame, made smaller where the screen asks for it, and let a box be drawn with the mouse.

    A new drag replaces the box; Enter or a double click takes it; Esc, or closing the window, leaves.

    Args:
        image: RGB, uint8, (height, width, 3).
        title: of the window.

    Returns:
        The box in pixels of ``image``, cut to it; None where the person left.

    Raises:
        RuntimeError: no screen; ask ``screen_available`` first.
    """
    if not screen_available():
        raise RuntimeError("no screen to draw the box on")
    return _Window(image, title).run()


class _Window:
    def __init__(self, image: Image, title: str) -> None:
        import tkinter

        self._root = tkinter.Tk()
        self._root.title(title)
        self._root.resizable(False, False)
        self._frame_size = image.shape[1], image.shape[0]
        screen = self._root.winfo_screenwidth(), self._root.winfo_screenheight()
        room = [_SHARE_OF_SCREEN * side / size for side, size in zip(screen, self._frame_size, strict=True)]
        self._scale = min(1.0, *room)
        width, height = (max(1, round(size * self._scale)) for size in self._frame_size)
        if self._scale < 1:
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        self._picture = tkinter.PhotoImage(master=self._root, data=_ppm(image))
        self._canvas = tkinter.Canvas(
            self._root, width=width, height=height, highlightthickness=0, cursor="crosshair", background="black"
        )
        self._canvas.create_image(0, 0, anchor="nw", image=self._picture)
        self._canvas.pack()
        tkinter.Label(self._root, text=_HELP, padx=8, pady=6, wraplength=max(width - 16, 200)).pack()
        self._size = width, height
        self._start = self._end = (0, 0)
        self._taken = False
        self._outlines = [
            self._canvas.create_rectangle(0, 0, 0, 0, outline=colour, width=line, state="hidden")
            for colour, line in (("#121216", 4), ("#ffb000", 2))
        ]
        self._bind()

    def run(self) -> Box | None:
        self._root.lift()
        self._root.focus_force()
        self._root.mainloop()
        return self._box() if self._taken else None

    def _bind(self) -> None:
        self._canvas.bind("<ButtonPress-1>", self._press)
        self._canvas.bind("<B1-Motion>", self._drag)
        self._canvas.bind("<Double-Button-1>", self._take)
        self._root.bind("<Return>", self._take)
        self._root.bind("<KP_Enter>", self._take)
        self._root.bind("<Escape>", lambda _: self._root.destroy())

    def _press(self, event: Any) -> None:
        self._press_at = self._inside(event)

    def _drag(self, event: Any) -> None:
        self._start, self._end = self._press_at, self._inside(event)
        for outline in self._outlines:
            self._canvas.coords(outline, *self._start, *self._end)
            self._canvas.itemconfigure(outline, state="normal")

    def _take(self, _: Any) -> None:
        if all(abs(a - b) >= _LEAST_SIDE for a, b in zip(self._start, self._end, strict=True)):
            self._taken = True
            self._root.destroy()

    def _inside(self, event: Any) -> tuple[int, int]:
        return max(0, min(event.x, self._size[0])), max(0, min(event.y, self._size[1]))

    def _box(self) -> Box:
        (left, right), (top, bottom) = (
            sorted((a * size / shown, b * size / shown))
            for a, b, size, shown in zip(self._start, self._end, self._frame_size, self._size, strict=True)
        )
        return Box(left, top, right - left, bottom - top)


def _ppm(image: Image) -> bytes:
    height, width = image.shape[:2]
    return f"P6 {width} {height} 255 ".encode() + image.tobytes()
