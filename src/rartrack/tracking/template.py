"""The template step: what the tracker learns of a frame, at once or together with the next frame's search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from rartrack.config import FilterConfig
from rartrack.filter.context import Statistics, blend, solve
from rartrack.network.memory import Memory
from rartrack.results import Status
from rartrack.tracking.model import Model, Pass
from rartrack.tracking.state import TrackerState, Waiting
from rartrack.video.images import Image


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
    chosen = np.flatnonzero(state.waiting.targets)
    state = replace(state, waiting=None)
    knew, first, remembered = state.statistics, state.first, state.memory
    some = len(chosen) < len(state)
    if some:
        index = model.on_device(chosen)  # once for all: each selection by numbers of the host would wait for a GPU
        knew, first, remembered = knew[index], None if first is None else first[index], remembered[index]
    new, memory = model.learn(template, remembered, in_turn=True)
    statistics = blend(knew, new, model.config.filter.learning_rate)
    filter = solved(statistics, first, model.config.filter)
    if some:
        return _put(state, index, statistics, filter, memory)
    return replace(state, statistics=statistics, filter=filter, memory=memory)


def solved(statistics: Statistics, first: Statistics | None, config: FilterConfig) -> Tensor:
    """The filter of running statistics and of the first frame's, with its share (``filter.first_share``)."""
    return solve(statistics if first is None else blend(statistics, first, config.first_share), config)


def _put(state: TrackerState, index: Tensor, statistics: Statistics, filter: Tensor, memory: Memory) -> TrackerState:
    """``state`` with what the targets of an index learned in place of what they knew."""

    def put(whole: Tensor, some: Tensor) -> Tensor:
        return whole.index_copy(0, index, some)

    old, new = state.statistics, memory.tensors()
    return replace(
        state,
        statistics=Statistics(
            put(old.gram, statistics.gram), put(old.cross, statistics.cross), put(old.energy, statistics.energy)
        ),
        filter=put(state.filter, filter),
        memory=Memory.from_tensors({name: put(maps, new[name]) for name, maps in state.memory.tensors().items()}),
    )
