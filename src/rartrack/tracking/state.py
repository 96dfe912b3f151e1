"""What a tracker remembers between frames, as one value: copied, selected, stacked, saved, restored."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rartrack.boxes import Boxes
from rartrack.errors import InputError, brief, nearest
from rartrack.filter.context import Statistics
from rartrack.network.memory import Memory
from rartrack.results import Status
from rartrack.tracking.camera import Thumbnail
from rartrack.tracking.crops import Crops

Form = Literal["one", "list", "mapping"]
"""How the boxes of targets are given, and how their results come back."""

STATISTICS = ("gram", "cross", "energy")
"""Parts of ``Statistics``."""

Selection = int | str | Iterable[int] | Iterable[str]
"""Some of the targets: positions, names, or a boolean for every target."""


@dataclass(frozen=True)
class Waiting:
    """Crops that are to be learned with the next frame's search (``tracking.delayed_update``).

    Attributes:
        crops: (M c, S, S, 3) RGB uint8, c in turn for each of the M targets that wait; see ``Model.template_crops``.
        targets: (N,) which targets they are of.
    """

    crops: Crops
    targets: tuple[bool, ...]

    def select(self, index: Sequence[int]) -> Waiting | None:
        """What waits of some of the targets, by position, in the given order; None where nothing does."""
        if not any(self.targets[i] for i in index):
            return None
        place = np.cumsum(self.targets) - 1  # of each target's crops among those that wait
        each = np.stack(np.split(self.crops, sum(self.targets)))
        crops = np.concatenate(each[[place[i] for i in index if self.targets[i]]])
        return Waiting(crops, tuple(self.targets[i] for i in index))

    @staticmethod
    def stack(parts: Sequence[Waiting | None], counts: Sequence[int]) -> Waiting | None:
        """What waits of all targets of several states, ``counts`` of each."""
        crops = [part.crops for part in parts if part is not None]
        if not crops:
            return None
        targets = (
            (False,) * count if part is None else part.targets for part, count in zip(parts, counts, strict=True)
        )
        return Waiting(np.concatenate(crops), tuple(found for some in targets for found in some))


@dataclass(frozen=True, eq=False)
class TrackerState:
    """Everything that changes from frame to frame, for N targets. Its parts are never changed in place.

    Attributes:
        form: how the boxes were given, and so how results come back: as one, a list, or a mapping of names.
        frame_size: (width, height) of the frames in pixels; None if it is not known, as of files that lack it.
        names: the targets' names.
        frame: frames since ``init``, or as ``at`` was told.
        centre: (N, 2) x, y in pixels at the edges.
        size: (N, 2) width and height in pixels.
        first_size: (N, 2) width and height at ``init``.
        status: each target's status.
        unseen: (N,) frames in a row that did not see each target.
        hint: (N, 2) where the last frame resembled each target most; looked at again while it is lost.
        statistics: the filter's running statistics (Eq. 7 online).
        filter: (N, D, n, n // 2 + 1) complex64, the filter solved from them, and from ``first``.
        memory: the ConvLSTM's memory per level (Eq. 1).
        first: statistics of the first frame; None where they have no share of their own (``filter.first_share``).
        scale: DSST's running statistics; None with the scale pyramid.
        waiting: crops not learned yet; None where there are none.
        thumbnail: (h, w) of the last frame, see ``rartrack.tracking.camera``; None where the camera's motion does not
            matter.
    """

    form: Form
    frame_size: tuple[int, int] | None
    names: tuple[str, ...]
    frame: int
    centre: Boxes
    size: Boxes
    first_size: Boxes
    status: tuple[Status, ...]
    unseen: NDArray[np.int_]
    hint: Boxes
    statistics: Statistics
    filter: Tensor
    memory: Memory
    first: Statistics | None = None
    scale: Statistics | None = None
    waiting: Waiting | None = None
    thumbnail: Thumbnail | None = None

    def __post_init__(self) -> None:
        """Check that all parts are of as many targets, and that no two targets have one name.

        Raises:
            InputError: they are not, or two have.
        """
        parts = {name: getattr(self, name) for name in _OF_EACH_TARGET}
        parts |= {f"memory of level {level}": hidden for level, (hidden, _) in self.memory.levels.items()}
        parts["waiting"] = None if self.waiting is None else self.waiting.targets
        for name, part in parts.items():
            if part is not None and len(part) != len(self):
                raise InputError(f"a tracker state of {len(self)} names, but {name} of {len(part)}; change them alike")
        if len(set(self.names)) != len(self):
            raise InputError(
                f"targets {brief(list(self.names))}: a name comes twice; names must differ to be tracked together"
            )

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        """Whether both remember the same, value by value."""
        if not isinstance(other, TrackerState):
            return NotImplemented
        ours, theirs = self.parts(), other.parts()
        return (self.words(), ours.keys()) == (other.words(), theirs.keys()) and all(
            tensor.dtype == theirs[name].dtype and torch.equal(tensor.cpu(), theirs[name].cpu())
            for name, tensor in ours.items()
        )

    def select(self, targets: Selection) -> TrackerState:
        """The state of some of the targets, in the given order; their results keep their form.

        Args:
            targets: positions from 0; or names, where the boxes were given by name; or a boolean for every target. A
                single position or name may stand alone.

        Raises:
            InputError: there is none, one is no position or name, or one comes twice.
        """
        index = self._positions(targets)
        return TrackerState(
            form=self.form,
            frame_size=self.frame_size,
            names=tuple(self.names[i] for i in index),
            frame=self.frame,
            centre=self.centre[index],
            size=self.size[index],
            first_size=self.first_size[index],
            status=tuple(self.status[i] for i in index),
            unseen=self.unseen[index],
            hint=self.hint[index],
            statistics=self.statistics[index],
            filter=self.filter[index],
            memory=self.memory[index],
            first=None if self.first is None else self.first[index],
            scale=None if self.scale is None else self.scale[index],
            waiting=None if self.waiting is None else self.waiting.select(index),
            thumbnail=self.thumbnail,
        )

    def at(self, frame: int) -> TrackerState:
        """The same, counted as if ``init`` had been so many frames ago: what ``stack`` asks of states that began at
        different frames. By this count updates and scales take their turns (``tracking.update_interval``).

        Raises:
            InputError: it is no whole number from 0 on.
        """
        count = _place(frame)
        if count < 0:
            raise InputError(f"frame {brief(frame)}: expected a whole number, 0 or more")
        return replace(self, frame=count)

    def to(self, device: torch.device | str, precision: torch.dtype | None = None) -> TrackerState:
        """The state for a network on a device that remembers in a precision, if one is given; DSST's part stays on the
        processor."""
        return replace(
            self,
            statistics=self.statistics.to(device),
            filter=self.filter.to(device),
            memory=self.memory.to(device, precision),
            first=None if self.first is None else self.first.to(device),
            scale=None if self.scale is None else self.scale.to("cpu"),
        )

    @staticmethod
    def stack(states: Iterable[TrackerState]) -> TrackerState:
        """All targets of several states of one model as one, on the first one's device.

        Results come back as a list, in order, if no state's targets were given by name; else as a mapping of names.

        Raises:
            InputError: there is none, they are of models that remember different things, at different frames or of
                frames of different sizes, or a name comes twice.
        """
        if not isinstance(states, Iterable):
            raise InputError(f"states to stack: expected a list of TrackerStates, got {type(states).__name__}")
        states = list(states)
        if not states:
            raise InputError("no states to stack; at least one is needed")
        if wrong := [type(state).__name__ for state in states if not isinstance(state, TrackerState)]:
            raise InputError(f"states to stack: expected TrackerStates, got {wrong[0]}")
        kind = states[0]._kind()
        if any(state._kind() != kind for state in states):
            raise InputError("states of different models cannot be stacked; track them apart")
        states = [state.to(states[0].filter.device) for state in states]
        form, names = states[0].form, tuple(name for state in states for name in state.names)
        if len(states) > 1:
            form = "mapping" if any(state.form == "mapping" for state in states) else "list"
            names = names if form == "mapping" else tuple(str(number) for number in range(1, len(names) + 1))
        if len(frames := {state.frame for state in states}) != 1:
            raise InputError(
                f"states of different frames cannot be stacked: {sorted(frames)}; where they know the same picture, "
                f"count them alike by state.at({max(frames)})"
            )
        sizes = {state.frame_size for state in states if state.frame_size is not None}
        if len(sizes) > 1:
            raise InputError(f"states of frames of different sizes cannot be stacked: {sorted(sizes)}")
        return TrackerState(
            form=form,
            frame_size=sizes.pop() if sizes else None,
            names=names,
            frame=states[0].frame,
            centre=np.concatenate([state.centre for state in states]),
            size=np.concatenate([state.size for state in states]),
            first_size=np.concatenate([state.first_size for state in states]),
            status=tuple(status for state in states for status in state.status),
            unseen=np.concatenate([state.unseen for state in states]),
            hint=np.concatenate([state.hint for state in states]),
            statistics=Statistics.stack([state.statistics for state in states]),
            filter=torch.cat([state.filter for state in states]),
            memory=Memory.stack([state.memory for state in states]),
            first=_stacked([state.first for state in states]),
            scale=_stacked([state.scale for state in states]),
            waiting=Waiting.stack([state.waiting for state in states], [len(state) for state in states]),
            thumbnail=next((state.thumbnail for state in states if state.thumbnail is not None), None),
        )

    def save(self, path: str | Path) -> None:
        """Write the state to a safetensors file, also over an older one; ``TrackerState.load`` gives an equal one.

        Raises:
            InputError: the file cannot be written.
        """
        from rartrack.tracking.state_file import save

        save(self, path)

    @staticmethod
    def load(path: str | Path, device: torch.device | str | None = "cpu") -> TrackerState:
        """Read a state that ``save`` wrote.

        Args:
            path: the file.
            device: where its tensors go, as in ``rartrack.load``; a tracker that it is given to takes them to its own.

        Raises:
            InputError: the file is missing, damaged, or no tracker state; or the device is not there.
        """
        from rartrack.tracking.state_file import load

        return load(path, device)

    def words(self) -> dict[str, object]:
        """What is remembered in words and counts, by name; fit for JSON."""
        about: dict[str, object] = {
            name: getattr(self, name) for name in ("form", "frame_size", "names", "frame", "status")
        }
        if self.waiting is not None:
            about["waiting"] = self.waiting.targets
        return about

    def parts(self) -> dict[str, Tensor]:
        """All that is remembered in tensors, by name; each where it is, the state's own: not to be written to."""
        tensors = {
            "centre": torch.from_numpy(self.centre),
            "size": torch.from_numpy(self.size),
            "first_size": torch.from_numpy(self.first_size),
            "unseen": torch.from_numpy(self.unseen),
            "hint": torch.from_numpy(self.hint),
            "gram": self.statistics.gram,
            "cross": self.statistics.cross,
            "energy": self.statistics.energy,
            "filter": self.filter,
            **{f"memory.{name}": tensor for name, tensor in self.memory.tensors().items()},
        }
        for part, statistics in (("first", self.first), ("scale", self.scale)):
            if statistics is not None:
                tensors |= {f"{part}.{name}": getattr(statistics, name) for name in STATISTICS}
        if self.waiting is not None:
            tensors["waiting"] = torch.from_numpy(self.waiting.crops)
        if self.thumbnail is not None:
            tensors["thumbnail"] = torch.from_numpy(self.thumbnail)
        return tensors

    def _positions(self, targets: Selection) -> list[int]:
        """Positions of the targets that ``select`` is told."""
        plain = _plain(targets)
        several = isinstance(plain, Iterable) and not isinstance(plain, str)
        given = [_plain(one) for one in plain] if several else [plain]
        if given and all(isinstance(one, bool) for one in given):
            if len(given) != len(self):
                raise InputError(f"targets {brief(targets)}: {len(given)} booleans, expected {len(self)}, one for each")
            given = [place for place, chosen in enumerate(given) if chosen]
        index = [self._named(one) if isinstance(one, str) else _place(one) for one in given]
        if not index or len(set(index)) != len(index) or not set(index) <= set(range(len(self))):
            names = ", or names of targets" if self.form == "mapping" else ""
            raise InputError(
                f"targets {brief(targets)}: give different positions from 0 to {len(self) - 1}{names}, at least one"
            )
        return index

    def _named(self, name: str) -> int:
        """Position of the target of a name."""
        if self.form != "mapping":
            raise InputError(
                f"target {brief(name)}: targets were not given by name; give positions from 0 to {len(self) - 1}"
            )
        if name not in self.names:
            raise InputError(f"no target {brief(name)}{nearest(name, self.names)}; there are {brief(list(self.names))}")
        return self.names.index(name)

    def _kind(self) -> dict[str, torch.Size]:
        """What differs from model to model: of each part the shape for one target."""
        return {name: tensor.shape[1:] for name, tensor in self.parts().items() if name not in _NOT_OF_THE_MODEL}


def _plain(value: Any) -> Any:
    """What an array or tensor, or a number of one, holds, as lists and numbers of Python; else the value itself."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic, Tensor)) else value


def _place(target: Any) -> int:
    """A position or count as a whole number; -1 for what is none."""
    try:
        return -1 if isinstance(target, (bool, np.bool_)) else operator.index(target)
    except TypeError:
        return -1


_NOT_OF_THE_MODEL = ("waiting", "thumbnail")
_OF_EACH_TARGET = ("centre", "size", "first_size", "status", "unseen", "hint", "statistics", "filter", "first", "scale")


def _stacked(parts: Sequence[Statistics | None]) -> Statistics | None:
    known = [part for part in parts if part is not None]
    return Statistics.stack(known) if known else None
