"""The template step: what the tracker learns of a frame, at once or together with the next frame's search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from rartrack.config import FilterConfig
from rartrack.filter.context import Statistics, blend, solve
from rartrack.network.memory import Memory
from rartrack.results import Status
from rartrack.tracking.crops import Image
from rartrack.tracking.model import Model, Pass
from rartrack.tracking.state import TrackerState, Waiting


def wait(model: Model, state: TrackerState, image: Image) -> TrackerState:
    """Cut what is to be learned of a frame, where it is time to learn: of the targets that are tracked."""
    tracked = tuple(status is Status.TRACKED for status in state.status)
    turn, early = divmod(state.frame, model.config.tracking.update_interval)
    if early or not any(tracked):
        return state
    chosen = [number for number, found in enumerate(tracked) if found]
    crops = model.template_crops(image, state.centre[chosen], state.size[chosen], turn)
    return replace(state, waiting=Waiting(crops, tracked))


def learn_waiting(model: Model, state: TrackerState) -> TrackerState:
    """The state after learning what waits, if anything does."""
    if state.waiting is None:
        return state
    (template,) = model.passes(state.waiting.crops)
    return learned(model, state, template)


def learned(model: Model, state: TrackerState, template: Pass) -> TrackerState:
    """The state after learning the crops that wait, by their pass: filter and memory of the targets they are of."""
    assert state.waiting is not None
    targets = [number for number, found in enumerate(state.waiting.targets) if found]
    state = replace(state, waiting=None)
    part = state if len(targets) == len(state) else state.select(targets)
    new, memory = model.learn(template, part.memory, in_turn=True)
    statistics = blend(part.statistics, new, model.config.filter.learning_rate)
    filter = solved(statistics, part.first, model.config.filter)
    part = replace(part, statistics=statistics, filter=filter, memory=memory)
    return part if len(part) == len(state) else _put(state, part, model.on_device(np.array(targets)))


def solved(statistics: Statistics, first: Statistics | None, config: FilterConfig) -> Tensor:
    """The filter of running statistics and of the first frame's, with its share (``filter.first_share``)."""
    return solve(statistics if first is None else blend(statistics, first, config.first_share), config)


def _put(state: TrackerState, part: TrackerState, index: Tensor) -> TrackerState:
    """``state`` with what the targets of an index learned in place of what they knew."""

    def put(whole: Tensor, some: Tensor) -> Tensor:
        return whole.index_copy(0, index, some)

    old, new, memory = state.statistics, part.statistics, part.memory.tensors()
    return replace(
        state,
        statistics=Statistics(put(old.gram, new.gram), put(old.cross, new.cross), put(old.energy, new.energy)),
        filter=put(state.filter, part.filter),
        memory=Memory.from_tensors({name: put(maps, memory[name]) for name, maps in state.memory.tensors().items()}),
    )
