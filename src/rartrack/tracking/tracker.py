"""The online loop: ``init`` with boxes, then ``update`` frame by frame (paper, Sec. 3.4; SPEC Sec. 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rartrack.boxes import Box, as_boxes, centre_size, from_centre_size
from rartrack.boxes import Boxes as BoxArray
from rartrack.config import ModelConfig
from rartrack.errors import InputError
from rartrack.filter.context import Statistics, blend, solve
from rartrack.filter.scale import best_scale, learn_scale, respond_scale
from rartrack.network.interface import Network
from rartrack.results import Result, Status
from rartrack.tracking.camera import Thumbnail, camera_motion, thumbnail
from rartrack.tracking.localize import (
    Candidates,
    Found,
    at_scales,
    best_of,
    boxed,
    exponents_searched,
    limited,
    look_around,
    moved,
    one_each,
)
from rartrack.tracking.model import Model, Pass
from rartrack.tracking.scale import SETTINGS, scale_samples
from rartrack.tracking.state import Form, TrackerState
from rartrack.tracking.status import enough, next_status, score_of, search_places
from rartrack.tracking.template import learn_waiting, learned, wait
from rartrack.video.images import Image, check_image

Boxes = Any
"""One box, a sequence or array of boxes, or a mapping of names to boxes; a box is four numbers x, y, w, h."""

_CARRIED = 0.5
"""Sizes of a target by which the camera must have carried it for a look there: nearer ones are seen well enough."""

_FULL = 4
"""Lost targets that are sought with all of ``search_windows`` each; where more are lost, they share as many."""

_ALIKE = 1.25
"""Factor between the sides of two sizes up to which a lost target is sought at one of them alone."""


class Tracker:
    """Follows one or several targets from frame to frame.

    The network's weights never change; all that does is ``state``, a value that can be kept and put back at any time.

    Args:
        network: see ``rartrack.network.inference.prepare_for_inference``, ``rartrack.backends``.
        config: all settings of the model.

    Raises:
        InputError: settings that a network outside torch cannot follow.
    """

    def __init__(self, network: Network, config: ModelConfig) -> None:
        self.model = Model(network, config)
        self.config = config
        self._state: TrackerState | None = None

    @property
    def state(self) -> TrackerState:
        """What the tracker remembers. Setting it continues from there: undo, another video, another machine.

        It says too whether results are one, a list or a mapping of names.

        Raises:
            InputError: ``init`` was not called; or, when it is set, it is no state, or that of a model or of settings
                that remember other things. Another model of the same shapes is not noticed.
        """
        if self._state is None:
            raise InputError("the tracker has no target yet; call init(frame, box) first")
        return self._state

    @state.setter
    def state(self, state: TrackerState) -> None:
        if not isinstance(state, TrackerState):
            raise InputError(f"the tracker's state: expected a TrackerState, got {type(state).__name__}")
        if not self._fits(state):
            raise InputError(
                "the tracker's state is another model's, or of other settings "
                "(filter.form, filter.first_share, tracking.scale_search, and while crops wait to be learned "
                "filter.contexts, tracking.context_turns, tracking.shared_context); "
                "load the model that it was saved with"
            )
        self._state = state.to(self.model.device, self.model.network.dtype)

    def _fits(self, state: TrackerState) -> bool:
        """Whether a state is of this network and of settings that remember the same."""
        count, channels = self.model.cells, self.config.network.feature_channels
        frequencies = (count, count // 2 + 1)
        gram = (*frequencies, channels, channels) if self.config.filter.form == "exact" else frequencies
        memory = {name: tuple(tensor.shape[1:]) for name, tensor in state.memory.tensors().items()}
        crops, side = self.model.learned_crops
        waiting = state.waiting
        return (
            tuple(state.filter.shape[1:]) == (channels, *frequencies)
            and tuple(state.statistics.gram.shape[1:]) == gram
            and memory == self.model.network.memory_shapes()
            and (state.first is not None) == (self.config.filter.first_share > 0)
            and (state.scale is not None) == (self.config.tracking.scale_search == "dsst")
            and (waiting is None or waiting.crops.shape == (sum(waiting.targets) * crops, side, side, 3))
        )

    @torch.inference_mode()
    def init(self, frame: NDArray[Any], boxes: Boxes) -> None:
        """Start on a frame; everything known before is forgotten.

        Args:
            frame: RGB uint8 (H, W, 3).
            boxes: (x, y, w, h) in pixels, any sequence or array; or for several targets a sequence or array of such
                boxes, or a mapping of names, which are text, to boxes.

        Raises:
            InputError: the frame is not an RGB uint8 image, a box is malformed, wholly outside it or far larger, or a
                name is not text.
        """
        frame_size, frame = _frame_size(frame), np.ascontiguousarray(frame)  # OpenCV copies a view for every crop
        form, named = _named(boxes)
        checked = np.array(list(as_boxes(named, frame_size).values()), dtype=np.float64)
        centre, size = centre_size(checked)
        (template,) = self.model.passes(self.model.template_crops(frame, centre, size))
        statistics, memory = self.model.learn(template, self.model.network.initial_memory(len(named)))
        self._state = TrackerState(
            form=form,
            frame_size=frame_size,
            names=tuple(named),
            frame=0,
            centre=centre,
            size=size,
            first_size=size,
            status=(Status.TRACKED,) * len(named),
            unseen=np.zeros(len(named), dtype=int),
            hint=centre,
            statistics=statistics,
            filter=solve(statistics, self.config.filter),
            memory=memory,
            first=statistics if self.config.filter.first_share else None,
            scale=self._learn_scale(frame, centre, size),
            thumbnail=self._thumbnail(frame),
        )

    @torch.inference_mode()
    def update(self, frame: NDArray[Any]) -> Any:
        """Find the targets in the next frame.

        Args:
            frame: RGB uint8 (H, W, 3).

        Returns:
            A ``Result``; or a list, or a mapping of names, as the boxes were given to ``init``.

        Raises:
            InputError: ``init`` was not called, or the frame is not an RGB uint8 image of the size of ``init``'s.
        """
        frame_size, state = _frame_size(frame), self.state
        if state.frame_size is not None and state.frame_size != frame_size:
            raise InputError(
                f"frame: {_written(frame_size)} pixels, but the tracker was started on {_written(state.frame_size)}; "
                "resize it, or call init anew"
            )
        frame = np.ascontiguousarray(frame)
        state, scores = self._localize(frame, frame_size, state)
        state = self._resize(frame, frame_size, state)
        state = wait(self.model, state, frame)
        self._state = state if self.config.tracking.delayed_update else learn_waiting(self.model, state)
        return self._results(scores)

    @torch.inference_mode()
    def settle(self) -> TrackerState:
        """Learn what ``delayed_update`` has put off; returns the state, which the next ``update`` would reach too."""
        self._state = learn_waiting(self.model, self.state)
        return self._state

    def synchronize(self) -> None:
        """Wait until the device has done all it was asked for, learning too; for those who measure time."""
        if self.model.device.type == "cuda":
            torch.cuda.synchronize(self.model.device)

    def given(self) -> Any:
        """Results for the frame of ``init``, to be asked for before the first ``update``: the given boxes with score 1,
        in the form ``update`` gives them. Later the boxes are the last ones."""
        return self._results([1.0] * len(self.state))

    def _results(self, scores: list[float]) -> Any:
        state = self.state
        boxes = from_centre_size(state.centre, state.size)
        results = [
            Result(Box(*map(float, box)), score, status)
            for box, score, status in zip(boxes, scores, state.status, strict=True)
        ]
        if state.form == "mapping":
            return dict(zip(state.names, results, strict=True))
        return results if state.form == "list" else results[0]

    def _localize(
        self, frame: Image, frame_size: tuple[int, int], state: TrackerState
    ) -> tuple[TrackerState, list[float]]:
        """All windows of all targets in one batch; then each target's best, after a second look where that is poor."""
        tracking, model = self.config.tracking, self.model
        if not tracking.delayed_update:  # what waits came with a state that another tracker left
            state = learn_waiting(model, state)
        candidates = self._candidates(state, frame_size)
        crops = model.search_crops(frame, candidates.centre, candidates.size)
        if state.waiting is None:
            (search,) = model.passes(crops)
        else:
            template, search = model.passes(state.waiting.crops, crops)
            state = learned(model, state, template)
        found = self._best(search, candidates, state)
        now = self._thumbnail(frame)
        found = self._looked_again(frame, found, state, now)
        # A target found again is as large as it was found: its last size may be that of the part that was seen last.
        rate = np.array([1 if status is Status.LOST else tracking.scale_rate for status in state.status])[:, None]
        size = (1 - rate) * state.size + rate * found.size
        centre, size = limited(found.centre, size, state.centre, state.first_size, frame_size, tracking)
        scores = [score_of(peak) for peak in found.peak]
        judged = [
            next_status(status, int(unseen), score, tracking)
            for status, unseen, score in zip(state.status, state.unseen, scores, strict=True)
        ]
        # What is not seen has no new place: where a response without a target is highest says nothing.
        seen = np.array([status is not Status.LOST for status, _ in judged]) & (found.peak >= tracking.lost_below)
        seen = seen[:, None]
        after = replace(
            state,
            frame=state.frame + 1,
            centre=np.where(seen, centre, state.centre),
            size=np.where(seen, size, state.size),
            status=tuple(status for status, _ in judged),
            unseen=np.array([unseen for _, unseen in judged]),
            hint=centre,
            thumbnail=now,
        )
        return after, scores

    def _looked_again(self, frame: Image, found: Found, state: TrackerState, now: Thumbnail | None) -> Found:
        """After second looks at targets whose scores are poor.

        A camera that turned may have carried a target with it. What lies far off the middle of a window is faded by
        the window on the features: so each is seen in full where it seems to be. Only where that is not enough to learn
        from it is sought around its last place. What is found there must be enough, and is learned once the next frame
        sees it there too: it may be what hides the target.
        """
        model, tracking = self.model, self.config.tracking

        def below(score: float, targets: Sequence[int]) -> list[int]:
            return [target for target in targets if score_of(found.peak[target]) < score]

        def seen(candidates: Candidates) -> Found:
            (search,) = model.passes(model.search_crops(frame, candidates.centre, candidates.size))
            return self._best(search, candidates, state)

        sought = [target for target, status in enumerate(state.status) if status is not Status.LOST]
        if state.thumbnail is not None and now is not None and (again := below(tracking.camera_below, sought)):
            motion = camera_motion(state.thumbnail, now, _frame_size(frame))
            again = [target for target in again if (np.abs(motion) >= _CARRIED * state.size[target]).any()]
            if again:
                found = found.improved(again, seen(one_each(again, state.centre[again] + motion, state.size[again])))
        if again := below(tracking.look_again_below, sought):
            found = found.improved(again, seen(one_each(again, found.centre[again], state.size[again])))
        if again := below(least := enough(tracking), again):
            size = state.size[again]
            around = look_around(again, state.centre[again], size, model.windows(size))
            most = np.nextafter(least, 0) if least > tracking.lost_below else np.inf  # else it would not be seen
            found = found.improved(again, seen(around), least=least, most=most)
        return found

    def _thumbnail(self, frame: Image) -> Thumbnail | None:
        """What the next frame needs of this one to tell how the camera moved; None where it is not asked."""
        return thumbnail(frame) if self.config.tracking.camera_below else None

    def _best(self, search: Pass, candidates: Candidates, state: TrackerState) -> Found:
        """Of each target that is sought, in order: its highest peak, and the place and the size found there."""
        filter, memory, model = state.filter, state.memory, self.model
        if not np.array_equal(candidates.target, np.arange(len(state))):  # else each target has one window
            owner = model.on_device(candidates.target)
            filter, memory = filter[owner], memory[owner]
        seen = model.search(search, filter, memory)
        best = best_of(candidates, seen.rank)
        peak, size = seen.peak[best], candidates.size[best]
        centre = moved(candidates.centre[best], model.windows(size), seen.shift[best], model.side)
        if (boxes := seen.boxes(best)) is not None:
            centre, size = boxed(centre, size, boxes, peak, self.config.tracking)
        return Found(peak, seen.rank[best], centre, size)

    def _candidates(self, state: TrackerState, frame_size: tuple[int, int]) -> Candidates:
        tracking, lost = self.config.tracking, state.status.count(Status.LOST)
        # However many are lost, as after a cut, a frame stays a frame's work.
        windows = min(tracking.search_windows, max(1, _FULL * tracking.search_windows // max(1, lost)))
        exponents = exponents_searched(state.frame + 1, tracking)
        parts = []
        for target, status in enumerate(state.status):
            centre, size = state.centre[target], state.size[target]
            if status is not Status.LOST:
                parts.append(at_scales(target, centre, size, tracking, exponents))
                continue
            # What was seen last of a target that was hidden bit by bit was small: then as it was given, too, in turn.
            turn, first = int(state.unseen[target]) - tracking.lost_after, state.first_size[target]
            if (np.maximum(size / first, first / size) > _ALIKE).any():
                turn, as_given = divmod(turn, 2)
                size = first if as_given else size
            window = self.model.windows(size)
            # The hint first: a target seen off-centre, faded by the window, is looked at again in full.
            around = search_places(centre, window, turn, windows, frame_size)
            places = np.concatenate([state.hint[target][None], centre[None], around])
            count = len(places)
            sizes = np.tile(size, (count, 1))
            parts.append(Candidates(np.full(count, target), places, sizes, np.ones(count)))
        return Candidates.join(parts)

    def _learn_scale(self, frame: Image, centre: BoxArray, size: BoxArray) -> Statistics | None:
        """DSST's statistics of one frame; None with the scale pyramid."""
        if self.config.tracking.scale_search != "dsst":
            return None
        return learn_scale(scale_samples(frame, centre, size), SETTINGS)

    def _resize(self, frame: Image, frame_size: tuple[int, int], state: TrackerState) -> TrackerState:
        """With DSST's scale filter: new sizes of the targets that are tracked, and what it learns of them."""
        if state.scale is None:
            return state
        response = respond_scale(state.scale, scale_samples(frame, state.centre, state.size), SETTINGS)
        factor = best_scale(response, SETTINGS).numpy()[:, None]
        tracked = np.array([status is Status.TRACKED for status in state.status])
        size = np.where(tracked[:, None], factor * state.size, state.size)
        centre, size = limited(state.centre, size, state.centre, state.first_size, frame_size, self.config.tracking)
        new = learn_scale(scale_samples(frame, centre, size), SETTINGS)
        rate = torch.from_numpy(tracked * SETTINGS.learning_rate)
        return replace(state, centre=centre, size=size, scale=blend(state.scale, new, rate))


def _frame_size(frame: Any) -> tuple[int, int]:
    height, width = check_image(frame, "frame").shape[:2]
    if not height or not width:
        raise InputError(f"frame: empty image {frame.shape}")
    return width, height


def _written(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _named(boxes: Boxes) -> tuple[Form, dict[str, Any]]:
    """How boxes were given, and the boxes by name: "1", "2", ... unless they have names."""
    if isinstance(boxes, Mapping):
        for name in boxes:
            if not isinstance(name, str):
                raise InputError(f"target {name!r}: a name must be text, such as {str(name)!r}")
    if (isinstance(boxes, Mapping) or _is_row(boxes)) and not len(boxes):
        raise InputError("no box given; at least one is needed")
    if isinstance(boxes, Mapping):
        return "mapping", dict(boxes)
    if _is_row(boxes) and any(_is_row(part) or (isinstance(part, str) and "," in part) for part in boxes):
        return "list", {str(number): box for number, box in enumerate(boxes, start=1)}
    return "one", {"1": boxes}


def _is_row(value: Any) -> bool:
    """Whether a value is a sequence or an array of something, but not text."""
    return not isinstance(value, str) and getattr(value, "ndim", int(isinstance(value, Sequence))) > 0
