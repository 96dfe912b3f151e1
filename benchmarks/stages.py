"""One tracker through one video, end to end, and where each frame's time goes."""

from __future__ import annotations

import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rartrack.boxes import Box, as_box
from rartrack.evaluation.trackers import Tracker
from rartrack.results import Record, Result, Status
from rartrack.tracking import model, template
from rartrack.tracking.tracker import Tracker as OurTracker
from rartrack.trajectories import open_trajectory_writer
from rartrack.video import VideoWriter, open_source, writing

STAGES = ("decode", "crop", "network", "filter", "rest", "draw", "write")
"""``rest`` is what remains of the tracker; of a tracker that is not ours it is all of it. Decoding and encoding have
threads of their own: ``decode`` is the time the loop waits for a frame, ``write`` the time it takes to copy one and
waits for a place in the encoder's queue, and for the encoder at the end. ``draw`` is in the encoder's thread, with
what it waits there for the loop's Python: no part of the loop."""


class Stopwatch:
    """Seconds by stage.

    Args:
        finish: waits until a device has done what a stage asked for: called before and after each, so that none counts
            another's; the frame as a whole gets longer by that.
    """

    def __init__(self, finish: Callable[[], None] = lambda: None) -> None:
        self._finish = finish
        self.seconds: dict[str, float] = defaultdict(float)

    def around(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._finish()
            begin = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self._finish()
                self.seconds[stage] += time.perf_counter() - begin

        return timed

    @contextmanager
    def inside(self, tracker: Tracker) -> Iterator[None]:
        """Time the stages where the product calls them; of a tracker that is not ours the drawing alone."""
        places: list[tuple[str, Any, str]] = [("draw", writing, "draw_on")]
        if isinstance(tracker, OurTracker):
            network: Any = tracker.model.network
            parts = ("taps", "seen", "attend", "boxes") if hasattr(network, "taps") else ("look",)
            places += [("network", network, part) for part in parts]
            places += [("crop", model, "cut"), ("filter", template, "blend"), ("filter", template, "solve")]
            places += [("filter", model, name) for name in ("learn", "respond", "subcell_peak")]
        before = [(owner, name, vars(owner).get(name)) for _, owner, name in places]
        for stage, owner, name in places:
            setattr(owner, name, self.around(stage, getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name, own in before:
                delattr(owner, name) if own is None else setattr(owner, name, own)


def end_to_end(tracker: Tracker, path: Path, text: str, count: int) -> dict[str, float]:
    """Mean seconds a frame by stage, and ``frame``, over ``count`` frames after the first: decoding, tracking one
    target, drawing, writing video and table. The loop is that of ``rartrack track``.
    """
    watch = Stopwatch(getattr(tracker, "synchronize", lambda: None))
    with tempfile.TemporaryDirectory() as folder, watch.inside(tracker), open_source(path) as source:
        film = VideoWriter(Path(folder) / "out.mp4", source.rate, source.size)
        following = watch.around("decode", lambda: next(source, None))
        update = watch.around("track", tracker.update)
        write = watch.around("write", film.write)
        with open_trajectory_writer(Path(folder) / "out.csv", ["1"]) as table:
            tracker.init(next(source).image, as_box(text, source.size))
            watch.seconds.clear()
            begin, done = time.perf_counter(), 0
            while done < count and (frame := following()) is not None:
                found = update(frame.image)
                result = found if isinstance(found, Result) else Result(Box(*found), 1.0, Status.TRACKED)
                table.write(Record(frame.index, frame.time, "1", result))
                write(frame.image, frame.time, {"1": result})
                done += 1
            watch.around("write", film.close)()
            whole = time.perf_counter() - begin
    seconds = {stage: watch.seconds.get(stage, 0.0) for stage in STAGES}
    seconds["rest"] = watch.seconds["track"] - sum(seconds[stage] for stage in ("crop", "network", "filter"))
    return {stage: value / done for stage, value in {**seconds, "frame": whole}.items()}
