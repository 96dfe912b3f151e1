"""TraX both ways: our server answers the library's client, our client drives programs good and bad."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rartrack.boxes import Box
from rartrack.errors import InputError
from rartrack.evaluation.trax import TraxProgram
from rartrack.evaluation.vot_protocol import region_row

trax = pytest.importorskip("trax")
client = pytest.importorskip("trax.client")

# Its box is the frame's mean red, green and blue, and the width it was started with.
COLOURS = """
    import sys
    from types import SimpleNamespace
    from rartrack.boxes import Box
    from rartrack.evaluation.trax_server import serve

    class Colours:
        def init(self, frame, box):
            self.width = box.w
            print("trackers print; it must not get between the messages")
        def update(self, frame):
            assert frame.dtype == "uint8" and frame.shape[2] == 3
            if frame.max() == 0:
                raise ValueError("a black frame")
            red, green, blue = frame.mean(axis=(0, 1))
            return SimpleNamespace(box=Box(red, green, blue, self.width), score=0.25)

    serve(Colours(), "colours")
"""

# Speaks TraX by the library alone, takes files only, answers with a polygon.
FILES_ONLY = """
    import cv2, trax
    with trax.Server([trax.Region.POLYGON], [trax.Image.PATH], tracker_name="files") as server:
        while True:
            request = server.wait()
            if request.type not in (trax.TraxStatus.INITIALIZE, trax.TraxStatus.FRAME):
                break
            blue, green, red = cv2.imread(request.image["color"].path()).mean(axis=(0, 1))
            server.status([(trax.Polygon.create([(red, green), (blue, green), (blue, 90.0)]), {})])
"""

ORANGE = np.full((24, 32, 3), (200, 120, 40), dtype=np.uint8)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Any]:
    """Make a program of a Python text; returns the client that drives it."""
    made: list[TraxProgram] = []

    def make(text: str, **limits: float) -> TraxProgram:
        path = tmp_path / f"program{len(made)}.py"
        path.write_text(textwrap.dedent(text))
        made.append(TraxProgram([sys.executable, str(path)], **limits))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The library's own client, talking to our server."""
    path = tmp_path_factory.mktemp("server") / "colours.py"
    path.write_text(textwrap.dedent(COLOURS))
    driver = TraxProgram([sys.executable, str(path)])
    driver.init(ORANGE, Box(1, 2, 30, 4))
    session = driver._session
    assert session is not None
    yield session._client
    driver.close()


class TestServer:
    def ask(self, peer: Any, image: Any) -> tuple[float, ...]:
        objects, _ = peer.frame({"color": image}, {}, [])
        assert objects[0][1].get("confidence") == "0.250000"
        return tuple(round(value) for value in objects[0][0].bounds())

    def test_says_what_it_takes(self, peer: Any) -> None:
        assert peer.tracker_name == "colours"
        assert set(peer.image_formats) == {"path", "memory", "buffer"}
        assert set(peer.region_formats) == {"rectangle", "polygon"}

    def test_colours_arrive_as_rgb_from_memory(self, peer: Any) -> None:
        assert self.ask(peer, trax.MemoryImage.create(ORANGE))[:3] == (200, 120, 40)

    @pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg"])
    def test_colours_arrive_as_rgb_from_files(self, peer: Any, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"frame{suffix}"
        cv2.imwrite(str(path), cv2.cvtColor(ORANGE, cv2.COLOR_RGB2BGR))
        found = self.ask(peer, trax.FileImage.create(str(path)))
        assert np.abs(np.subtract(found[:3], (200, 120, 40))).max() <= 2

    @pytest.mark.parametrize("suffix", [".png", ".jpg"])
    def test_colours_arrive_as_rgb_from_encoded_images(self, peer: Any, suffix: str) -> None:
        _, encoded = cv2.imencode(suffix, cv2.cvtColor(ORANGE, cv2.COLOR_RGB2BGR))
        found = self.ask(peer, trax.BufferImage.create(encoded.tobytes()))
        assert np.abs(np.subtract(found[:3], (200, 120, 40))).max() <= 2

    @pytest.mark.parametrize(("dtype", "value"), [(np.uint8, 77), (np.uint16, 77 * 256 + 5)])
    def test_grey_is_repeated_over_the_channels(self, peer: Any, dtype: Any, value: int) -> None:
        grey = np.full((24, 32), value, dtype=dtype)
        assert self.ask(peer, trax.MemoryImage.create(grey))[:3] == (77, 77, 77)

    def test_starts_again_with_a_polygon(self, peer: Any) -> None:
        corners = [(10.0, 10.0), (25.0, 5.0), (30.0, 20.0), (15.0, 25.0)]
        image = {"color": trax.MemoryImage.create(ORANGE)}
        objects, _ = peer.initialize(image, [(trax.Polygon.create(corners), {})], {})
        assert objects[0][0].bounds() == (10, 5, 20, 20)
        assert self.ask(peer, image["color"])[3] == 20


class TestClient:
    def test_drives_a_program(self, program: Any) -> None:
        tracker = program(COLOURS)
        assert tracker.init(ORANGE, Box(1, 2, 30, 4)).box == Box(1, 2, 30, 4)
        reply = tracker.update(ORANGE)
        assert reply.box == pytest.approx((200, 120, 40, 30))
        assert reply.score == 0.25
        assert reply.region is None

    def test_sends_files_and_takes_polygons_where_the_program_wants_them(self, program: Any) -> None:
        tracker = program(FILES_ONLY)
        tracker.init(ORANGE, Box(1, 2, 3, 4))
        reply = tracker.update(ORANGE)
        assert reply.region == pytest.approx((200, 120, 40, 120, 40, 90))
        assert reply.box == pytest.approx((40, 90, 160, 30))
        assert reply.score is None
        assert region_row(reply) == list(reply.region)

    def test_a_program_that_raises_is_named_and_started_again(self, program: Any) -> None:
        tracker = program(COLOURS)
        tracker.init(ORANGE, Box(1, 2, 30, 4))
        with pytest.raises(InputError, match=r"did not answer a frame: it ended \(.*a black frame") as raised:
            tracker.update(np.zeros_like(ORANGE))
        assert "\n" not in str(raised.value)
        with pytest.raises(InputError, match="not started"):
            tracker.update(ORANGE)
        tracker.init(ORANGE, Box(1, 2, 7, 4))
        assert tracker.update(ORANGE).box.h == 7

    def test_a_program_that_hangs_is_ended(self, program: Any) -> None:
        hangs = COLOURS.replace('raise ValueError("a black frame")', "import time; time.sleep(60)")
        tracker = program(hangs, reply_limit=1.0)
        tracker.init(ORANGE, Box(1, 2, 30, 4))
        begin = time.monotonic()
        with pytest.raises(InputError, match="did not answer a frame within 1 s"):
            tracker.update(np.zeros_like(ORANGE))
        assert time.monotonic() - begin < 30

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("import time; time.sleep(60)", "did not say hello within 1 s"),
            ("import sys; sys.exit('no weights here')", r"did not say hello: .*exit status 1.*last: no weights here"),
            ("raise SystemExit(3)", r"did not say hello: .*exit status 3"),
        ],
    )
    def test_a_program_that_never_speaks(self, program: Any, text: str, message: str) -> None:
        with pytest.raises(InputError, match=message):
            program(text, start_limit=1.0).init(ORANGE, Box(1, 2, 3, 4))

    def test_a_program_that_is_not_there(self) -> None:
        with pytest.raises(InputError, match="no-such-program: cannot be started: No such file"):
            TraxProgram(["no-such-program", "--fast"]).init(ORANGE, Box(1, 2, 3, 4))
        with pytest.raises(InputError, match="empty command"):
            TraxProgram([])
