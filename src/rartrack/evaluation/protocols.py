"""How a benchmark starts a tracker in a sequence, as data: once, at twenty times, with twelve disturbed boxes.

Source of OPE, TRE and SRE: Y. Wu, J. Lim, M.-H. Yang, "Online Object Tracking: A Benchmark", CVPR 2013, Sec. 4, and
"Object Tracking Benchmark", TPAMI 2015, Sec. 4; what the papers leave open as their toolkit v1.1 does it
(splitSeqTRE, shiftInitBB). Their boxes are 1-based and end at the last pixel; ours are converted before and after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from rartrack.boxes import Box
from rartrack.datasets.otb import official_name, targets
from rartrack.datasets.sequence import Sequence
from rartrack.datasets.text import read_table
from rartrack.errors import InputError

SHIFT = 0.1
"""How far SRE moves an edge, as a fraction of the target's width or height (TPAMI 2015, Sec. 4.2)."""


@dataclass(frozen=True)
class Disturbance:
    """One of SRE's first boxes.

    Attributes:
        name: the toolkit's name for it.
        kind: the whole box moves; the edges on one side move outward while the opposite ones stay; or the box is scaled
            about its centre.
        x, y: direction, -1 left or up, 1 right or down.
        ratio: of the sizes, for ``scale``.
    """

    name: str
    kind: Literal["move", "stretch", "scale"]
    x: int = 0
    y: int = 0
    ratio: float = 1.0


DISTURBANCES = (
    Disturbance("left", "move", x=-1),
    Disturbance("right", "move", x=1),
    Disturbance("up", "move", y=-1),
    Disturbance("down", "move", y=1),
    Disturbance("topLeft", "stretch", x=-1, y=-1),
    Disturbance("topRight", "stretch", x=1, y=-1),
    Disturbance("bottomLeft", "stretch", x=-1, y=1),
    Disturbance("bottomRight", "stretch", x=1, y=1),
    Disturbance("scale_8", "scale", ratio=0.8),
    Disturbance("scale_9", "scale", ratio=0.9),
    Disturbance("scale_11", "scale", ratio=1.1),
    Disturbance("scale_12", "scale", ratio=1.2),
)
"""Four shifts, four corners, four scales, in the toolkit's order."""


@dataclass(frozen=True)
class Protocol:
    """How trackers are started and run.

    Attributes:
        name: as on the command line.
        title: in prose.
        source: where its rules were read.
        segments: starts spread over the sequence.
        shortest: frames that must be left after the last start.
        disturbances: first boxes tried in place of the true one.
        vot: how the VOT challenge runs a tracker several times (``evaluation.vot_protocol``), or None.
    """

    name: str
    title: str
    source: str
    segments: int = 1
    shortest: int = 1
    disturbances: tuple[Disturbance, ...] = ()
    vot: Literal["supervised", "unsupervised", "realtime"] | None = None


OPE = Protocol("ope", "one-pass evaluation", "CVPR 2013, Sec. 4")
TRE = Protocol("tre", "temporal robustness evaluation", "CVPR 2013, Sec. 4; splitSeqTRE", segments=20, shortest=20)
SRE = Protocol("sre", "spatial robustness evaluation", "CVPR 2013, Sec. 4; shiftInitBB", disturbances=DISTURBANCES)
VOT = Protocol("vot", "supervised runs with resets", 'PAMI 2016, "A Novel Performance Evaluation"', vot="supervised")
VOT_UNSUPERVISED = Protocol("vot-unsupervised", "runs without resets", "VOT2017 challenge", vot="unsupervised")
VOT_REALTIME = Protocol("vot-realtime", "supervised runs at a camera's pace", "VOT2017 challenge", vot="realtime")
PROTOCOLS = {protocol.name: protocol for protocol in (OPE, TRE, SRE, VOT, VOT_UNSUPERVISED, VOT_REALTIME)}


@dataclass(frozen=True)
class Start:
    """One run of a tracker over a sequence.

    Attributes:
        number: 1, 2, ... where a protocol has several runs a sequence, else 0.
        frame: index of the frame it starts in.
        disturbance: what is done to the true box of that frame, or None.
    """

    number: int
    frame: int
    disturbance: Disturbance | None = None


def starts(protocol: Protocol, sequence: Sequence) -> list[Start]:
    """Runs that a protocol makes over a sequence.

    Raises:
        InputError: no frame of the sequence has a box to start from.
    """
    visible = np.flatnonzero(sequence.visible)
    if not len(visible):
        raise InputError(f"{sequence.name}: no annotated box to start from")
    if protocol.disturbances:
        return [Start(number, int(visible[0]), each) for number, each in enumerate(protocol.disturbances, start=1)]
    if protocol.segments > 1:
        frames = _segments(protocol, sequence)
        return [Start(number, frame) for number, frame in enumerate(frames, start=1)]
    return [Start(0, int(visible[0]))]


def first_box(start: Start, sequence: Sequence, frame_size: tuple[int, int]) -> Box:
    """The box (0-based) a run starts from.

    Args:
        start: the run.
        sequence: its sequence.
        frame_size: (width, height), at which the toolkit cuts a disturbed box.
    """
    box = Box(*map(float, sequence.boxes[start.frame]))
    return box if start.disturbance is None else disturbed(box, start.disturbance, frame_size)


def disturbed(box: Box, disturbance: Disturbance, frame_size: tuple[int, int]) -> Box:
    """Disturb a first box (0-based) as SRE does.

    The toolkit's Python port moves by ``round(0.1 w + 0.5)`` where the MATLAB original moves by ``ceil(0.1 w)``, one
    pixel less where 10 divides w; the original is followed.
    """
    left, width = _disturbed_axis(box.x + 1, box.w, disturbance.x, disturbance, frame_size[0])
    top, height = _disturbed_axis(box.y + 1, box.h, disturbance.y, disturbance, frame_size[1])
    return Box(left - 1, top - 1, width, height)


def _disturbed_axis(low: float, size: float, way: int, disturbance: Disturbance, limit: int) -> tuple[float, float]:
    """New 1-based low edge and size along one axis whose last pixel is ``limit``."""
    last = low + size - 1
    if disturbance.kind == "scale":
        low, size = _round(low + size / 2 - disturbance.ratio * size / 2), _round(disturbance.ratio * size)
    elif disturbance.kind == "move":
        low += way * math.ceil(SHIFT * size)
    elif way < 0:
        low = _round(low - SHIFT * size)
        size = last - low + 1
    else:
        size = _round(last + SHIFT * size) - low + 1
    low = max(low, 1.0)
    return low, min(size, limit - low + 1)


def _round(value: float) -> float:
    """Round half away from zero, as MATLAB does."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


def _segments(protocol: Protocol, sequence: Sequence) -> list[int]:
    """Frames TRE starts in: spread evenly over those that are annotated inside the image and not left out.

    A sequence that is shorter than the shortest segment has one start.
    """
    inside = sequence.visible & (sequence.boxes[:, :2] + 1 > 0).all(axis=1)
    left_out = _left_out(sequence)
    usable = [int(frame) for frame in np.flatnonzero(inside) if int(frame) not in left_out]
    fits = sum(len(sequence) - frame >= protocol.shortest for frame in usable)
    if not fits:
        return [int(np.flatnonzero(sequence.visible)[0])]
    parts = protocol.segments - 1
    # MATLAB's floor(1 : fits / parts : fits), in whole numbers.
    places = [1 + part * fits // parts for part in range(parts) if parts + part * fits <= parts * fits]
    return [usable[place - 1] for place in [*places, fits]]


def _left_out(sequence: Sequence) -> frozenset[int]:
    """Frames (0-based) in which the benchmark starts no segment: the target is occluded or out of view there."""
    name = official_name(sequence.name)
    if name is None or name not in _omitted_images():
        return frozenset()
    target = targets()[name]
    annotated = target.last - target.first + 1
    if len(sequence) not in (annotated, annotated - target.omit):
        return frozenset()
    first = target.last - len(sequence) + 1
    return frozenset(image - first for low, high in _omitted_images()[name] for image in range(low, high + 1))


@cache
def _omitted_images() -> dict[str, tuple[tuple[int, int], ...]]:
    """Target -> first and last image numbers that the toolkit's initOmit/*.txt list."""
    rows = read_table("evaluation", "otb_omit")
    return {row["name"]: tuple(_range(part) for part in row["images"].split()) for row in rows}


def _range(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    return int(low), int(high)
