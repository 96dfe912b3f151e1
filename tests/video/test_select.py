"""Drawing a box with the mouse, on a screen that exists in memory only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from rartrack.boxes import Box
from rartrack.video import select
from rartrack.video.select import screen_available, select_box

tkinter = pytest.importorskip("tkinter")


@pytest.fixture(scope="module")
def screen() -> Iterator[None]:
    """A virtual screen of 800x600 pixels."""
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("needs Xvfb, the virtual screen (Debian: apt-get install xvfb)")
    read, write = os.pipe()
    command = [program, "-displayfd", str(write), "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as numbers, pytest.MonkeyPatch.context() as patch:
            patch.setenv("DISPLAY", f":{numbers.readline().strip()}")
            yield
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def act(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Box | None]:
    """Show a frame of some size and send the window's canvas a row of events; returns what was selected."""
    request.getfixturevalue("screen")

    def run(size: tuple[int, int], *events: tuple[str, dict[str, int]]) -> Box | None:
        loop = tkinter.Tk.mainloop

        def act_then_loop(window: Any, count: int = 0) -> None:
            def send() -> None:
                for name, where in events:
                    if name == "close":
                        window.destroy()
                    else:
                        target = window if "Key" in name else window.winfo_children()[0]
                        target.event_generate(name, **where)

            window.update()
            window.after(1, send)
            loop(window, count)

        monkeypatch.setattr(tkinter.Tk, "mainloop", act_then_loop)
        width, height = size
        return select_box(np.zeros((height, width, 3), np.uint8))

    return run


def drag(*points: tuple[int, int]) -> list[tuple[str, dict[str, int]]]:
    (x, y), *rest = points
    moves = [("<B1-Motion>", {"x": x, "y": y}) for x, y in rest]
    release = ("<ButtonRelease-1>", dict(zip("xy", points[-1], strict=True)))
    return [("<ButtonPress-1>", {"x": x, "y": y}), *moves, release]


ENTER, ESCAPE = ("<Key-Return>", {}), ("<Key-Escape>", {})


def test_a_drag_and_enter_give_the_box(act: Callable[..., Box | None]) -> None:
    assert act((320, 240), *drag((40, 50), (60, 60), (100, 90)), ENTER) == Box(40, 50, 60, 40)


def test_a_drag_may_go_up_and_left(act: Callable[..., Box | None]) -> None:
    assert act((320, 240), *drag((100, 90), (40, 50)), ENTER) == Box(40, 50, 60, 40)


def test_the_last_drag_counts(act: Callable[..., Box | None]) -> None:
    assert act((320, 240), *drag((1, 1), (9, 9)), *drag((40, 50), (100, 90)), ENTER) == Box(40, 50, 60, 40)


def test_a_drag_beyond_the_frame_ends_at_its_edge(act: Callable[..., Box | None]) -> None:
    assert act((320, 240), *drag((300, 200), (900, 900)), ENTER) == Box(300, 200, 20, 40)


def test_a_double_click_takes_the_box(act: Callable[..., Box | None]) -> None:
    click = [("<ButtonPress-1>", {"x": 50, "y": 60}), ("<ButtonRelease-1>", {"x": 50, "y": 60})]
    assert act((320, 240), *drag((40, 50), (100, 90)), *click, *click) == Box(40, 50, 60, 40)


def test_a_frame_larger_than_the_screen_is_shown_smaller_and_the_box_is_in_its_own_pixels(
    act: Callable[..., Box | None],
) -> None:
    # 3200x1200 fits 90 % of 800 pixels at 0.225: 720x270.
    assert act((3200, 1200), *drag((72, 27), (360, 135)), ENTER) == pytest.approx((320, 120, 1280, 480))


def test_escape_and_closing_the_window_select_nothing(act: Callable[..., Box | None]) -> None:
    assert act((320, 240), *drag((40, 50), (100, 90)), ESCAPE) is None
    assert act((320, 240), *drag((40, 50), (100, 90)), ("close", {})) is None


def test_enter_without_a_box_waits_for_one(act: Callable[..., Box | None]) -> None:
    assert act((320, 240), ENTER, *drag((40, 50), (100, 90)), ENTER) == Box(40, 50, 60, 40)


@pytest.mark.usefixtures("screen")
def test_there_is_a_screen() -> None:
    assert screen_available()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="a screen without DISPLAY")
@pytest.mark.parametrize("display", [None, "", ":54321"])
def test_without_a_display_there_is_no_screen(monkeypatch: pytest.MonkeyPatch, display: str | None) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    assert not screen_available()
    with pytest.raises(RuntimeError, match="no screen"):
        select_box(np.zeros((4, 4, 3), np.uint8))


def test_without_tkinter_there_is_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setitem(sys.modules, "tkinter", None)
    assert not select.screen_available()
