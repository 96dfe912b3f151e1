"""Settings as frozen dataclasses; every default has its source beside it. Unknown keys and wrong values are errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from rartrack.errors import InputError, brief, nearest

_STRICT = {"extra": "forbid", "strict": False}
T = TypeVar("T")


@dataclass(frozen=True)
class Within:
    """The range of a setting, which is checked where settings are read (``from_dict``); numbers are finite.

    Attributes:
        low, high: the least and the greatest value.
        above: whether ``low`` itself is too little.
        odd: whether the number must be odd.
    """

    low: float
    high: float = math.inf
    above: bool = False
    odd: bool = False

    def __contains__(self, value: float) -> bool:
        enough = value > self.low if self.above else value >= self.low
        return enough and value <= self.high and math.isfinite(value) and (not self.odd or value % 2 == 1)

    def __str__(self) -> str:
        bounded = math.isfinite(self.high)
        least = f"above {self.low:g}" if self.above else f"{self.low:g}" if bounded else f"{self.low:g} or more"
        return f"{'odd, ' if self.odd else ''}{least}{f' to {self.high:g}' if bounded else ''}"

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import PydanticCustomError, core_schema

        def check(value: float) -> float:
            if value not in self:
                raise PydanticCustomError("range", "must be {range}", {"range": str(self)})
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))


Share = Annotated[float, Within(0, 1)]
Positive = Annotated[float, Within(0, above=True)]
NotNegative = Annotated[float, Within(0)]
Count = Annotated[int, Within(1)]
Whole = Annotated[int, Within(0)]


@dataclass(frozen=True)
class NetworkConfig:
    """Crops to features (SPEC Secs. 5, 7 and 10)."""

    backbone: Literal["resnet50", "resnet18", "vggm"] = "resnet50"
    """Which trunk; ``resnet18`` ends after its third stage."""
    width_divisor: Count = 1
    """Divides every width of the backbone (8 gives the small profile that tests use)."""
    stage_stride: Literal["3x3", "1x1"] = "3x3"
    """Where a bottleneck stage's stride sits: the first block's 3x3 (torchvision) or its first 1x1 (Caffe)."""
    dilate: bool = True
    """Dilate the stages whose stride is removed, which keeps the pre-trained function."""
    deformable: tuple[str, ...] = ("layer3.0",)
    """Blocks whose 3x3 convolution is deformable (paper, Sec. 3.1: conv4_1)."""
    levels: tuple[int, ...] = (3, 4, 5)
    """Stages that are tapped: 3 is conv3_4, 4 is conv4_6, 5 is conv5_3; ``(5,)`` is the variant NHF."""
    input_size: int = 255
    """Side of a crop in pixels, 8n + 7 for n cells a side: 255 gives 31 (paper, Table 1)."""
    attention: bool = True
    """Off is the variant NAA: the attentional features are the backbone's."""
    inter_frame: bool = True
    """Off is the variant NTA: no ConvLSTM, the terms in h drop out of Eqs. 2 and 3."""
    channel: bool = True
    """Off is the variant NCA: Psi^c = 1."""
    spatial: bool = True
    """Off is the variant NSA: Psi^s = 1."""
    channel_memory: Literal["previous", "current"] = "previous"
    """Which memory Eq. 2 reads: h^c of the previous frame (as printed) or of the current one."""
    hidden_channels: Count = 64
    """Width of the ConvLSTM (SPEC Sec. 5: 1.98 GMAC for all heads)."""
    reduction: Count = 16
    """Bottleneck of the channel attention (CBAM)."""
    spatial_channels: Count = 8
    """Hidden maps of the spatial attention (SPEC Sec. 7.3)."""
    refinement_channels: Count = 128
    """Width of the refinement's laterals (SPEC Sec. 7.5)."""
    feature_channels: Count = 32
    """Channels the filter sees (DCFNet, CFNet)."""
    box_channels: Whole = 0
    """Width of the box head (``rartrack.network.box``); 0: none, as in the paper."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True)
class FilterConfig:
    """The contextual correlation filter (SPEC Sec. 3)."""

    form: Literal["exact", "shared"] = "exact"
    """Solve Eq. 6 exactly over channels, or with one denominator shared by all (Eq. 7 as printed)."""
    contexts: Literal[0, 4] = 4
    """Context crops a template has: above, left, below and right by one target size (CACF)."""
    regularization: Positive = 1e-4
    """lambda1, relative to the template's energy (paper, Sec. 3.4; SPEC Sec. 3.5)."""
    context_weight: NotNegative = 0.1
    """lambda2 (paper, Sec. 3.4)."""
    label_sigma: Positive = 0.1
    """Standard deviation of the label as a fraction of the target's size (KCF, DCFNet)."""
    learning_rate: Share = 0.01
    """eta of the running update (DCFNet)."""
    first_share: Share = 0.0
    """Share of the first frame in what the filter is solved from, however much was learned since: what was learned of
    something that hid the target does not make it unfindable. 0: by age alone, as in the paper."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True)
class TrackingConfig:
    """The online loop (SPEC Sec. 6)."""

    padding: Annotated[float, Within(0, 20)] = 2.0
    """Context around the target: the window is 1 + padding times the target a side (paper, Sec. 3.4)."""
    crop: Literal["stretch", "square"] = "stretch"
    """Window shape: the target's own aspect stretched to a square crop (DCFNet), or a square window."""
    scales: Annotated[int, Within(1, 101, odd=True)] = 3
    """Scales searched (paper, Sec. 3.4)."""
    scale_step: Annotated[float, Within(1, 2)] = 1.02
    """Ratio between neighbouring scales (paper, Sec. 3.4)."""
    scale_penalty: Share = 0.9925
    """Factor on the peak of every scale but the current one (DCFNet)."""
    scale_rate: Share = 1.0
    """How much of the best scale's change is taken over (DCFNet); of a lost target's that is found again, all."""
    scale_interval: Count = 1
    """Search the other scales every so many frames; between, the current scale alone."""
    alternate_scales: bool = False
    """Where scales are searched, search the smaller ones and the larger ones in turn: two crops instead of three."""
    scale_search: Literal["pyramid", "dsst", "box"] = "pyramid"
    """Scales by the correlation filter itself, by DSST's one-dimensional filter (the ablation), or by the box head,
    which tells width and height apart from one crop."""
    box_rate: Share = 0.3
    """How much of the box head's change of width and height is taken over in a frame, in logarithms. Chosen on the
    held-out videos, as was the 0.5 of ``rar-fast``."""
    box_centre: Share = 0.5
    """How much of the way from the filter's peak to the box head's centre is gone; on the held-out videos the whole way
    makes no difference that can be told."""
    classification: Annotated[float, Within(0, 10)] = 0.0
    """Where the box head searches sizes, power of its probability that the target is in a place, by which the filter's
    response there is multiplied when the peak is sought: 0 leaves it as it is. A probability of 0 counts as 0.05. The
    score is not multiplied."""
    doubted_below: Share = 0.2
    """Where the box head searches sizes, its probability below which it doubts what the filter found: the score falls
    in proportion. Chosen on the held-out videos; 0 leaves the score to the filter."""
    shared_context: bool = False
    """Cut template and contexts out of one larger crop's features: cheaper, but for their borders, which the network
    was not trained with."""
    update_interval: Count = 1
    """Update filter and memory every so many frames (paper: incrementally, every frame)."""
    context_turns: Literal[1, 2, 4] = 1
    """Learn the contexts in so many turns, an update each: by 2 those above and below, then those left and right, at
    twice the weight. The first frame is learned with all. Fewer crops an update, the same in the mean over updates.
    With ``shared_context``, whose one crop holds them all, there are no turns."""
    delayed_update: bool = False
    """Run the crops that a frame is learned from through the backbone together with the next frame's search: one pass a
    frame instead of two. Nothing else changes (SPEC Sec. 5.1)."""
    size_limits: tuple[Annotated[float, Within(0, 1, above=True)], Annotated[float, Within(1)]] = (0.2, 5.0)
    """Smallest and largest size relative to the first, of the geometric mean of width and height (DCFNet, CFNet): by
    the box head one side may change by more."""
    displacement_window: Share = 0.0
    """Weight of a cosine window over displacements, by which the response is multiplied when the peak is sought (CFNet:
    0.2625; the window on the features makes it superfluous). The score is not multiplied."""
    look_again_below: Share = 0.0
    """Score under which a second look is taken in the same frame, where the target seems to be, and where that is
    below ``uncertain_below``, around its last place: for targets that move by about their size. What is found there is
    learned once the next frame sees it too. 0 never does."""
    camera_below: Share = 0.0
    """Score under which a target that the camera's motion carried by half its size or more is looked for there too, in
    the same frame (``rartrack.tracking.camera``). 0 never does."""
    uncertain_below: Share = 0.2
    """Score under which nothing is learned from a frame, nor under ``lost_below``; this and the next were chosen on the
    held-out videos: 98 % of the frames with overlap above 0.6 score higher (of models before the present ones)."""
    lost_below: Share = 0.1
    """Score under which a frame counts as not seeing the target; the box stays where it was."""
    lost_after: Count = 10
    """Frames in a row that do not see the target until it counts as lost; five are no better on videos that were
    mostly trained on."""
    found_above: Share = 0.4
    """Score at which a lost target counts as found again, if a frame of that score is learned from."""
    search_windows: Whole = 10
    """Windows searched around in each frame, besides the last place, for a lost target (chosen on training
    videos). Where more than four are lost, they share what four would have, one each at least."""
    precision: Literal["auto", "int8", "float32", "bfloat16", "float16"] = "auto"
    """Of the network; the filter has single or double precision always. ``auto``: bfloat16 where the device computes in
    it, float16 on older GPUs, ``int8`` on other processors with AVX2 if it is known what the model's integers stand
    for, else float32. ``int8``: the backbone in eight-bit integers, on processors, the rest in floats as by ``auto``.
    The backend onnx has float32 and int8, openvino bfloat16 too; ``auto`` is floats there."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True)
class ModelConfig:
    """Everything a checkpoint carries besides its weights."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    filter: FilterConfig = field(default_factory=FilterConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


PRESETS: dict[str, dict[str, Any]] = {
    "quality": {"tracking.scale_interval": 1, "tracking.alternate_scales": False, "tracking.update_interval": 2},
    "balanced": {},
    "fast": {"tracking.scale_interval": 1, "tracking.alternate_scales": True, "tracking.update_interval": 10},
}
"""Named changes to a model's settings: how often scales are searched and the filter is updated. ``balanced`` is the
model as it is; what each costs and gives, ``scripts/speed_table.py`` measures."""


def preset_settings(preset: str | None, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The changes that a preset stands for, with further ones, which go before it.

    Raises:
        InputError: no such preset, or changes that are no mapping of names.
    """
    if preset is not None and not (isinstance(preset, str) and preset in PRESETS):
        hint = nearest(preset, PRESETS) if isinstance(preset, str) else ""
        raise InputError(f"preset {brief(preset)}: expected {', '.join(PRESETS)}{hint}")
    if changes is not None and not (isinstance(changes, Mapping) and all(isinstance(key, str) for key in changes)):
        raise InputError(
            f"settings: expected a mapping such as {{'tracking.update_interval': 5}}, got {brief(changes)}"
        )
    return {**PRESETS.get(preset or "", {}), **(changes or {})}


def to_dict(config: Any) -> dict[str, Any]:
    """Turn a config dataclass into plain dicts, lists, numbers and strings (what YAML and JSON hold)."""
    return _plain(asdict(config))  # type: ignore[no-any-return]


def from_dict(cls: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build a config dataclass from nested plain values.

    Args:
        cls: a config dataclass.
        values: nested mapping; keys that are absent keep their default.
        where: named in the message, the file usually.

    Raises:
        InputError: an unknown key (the nearest known one is named), or a value of the wrong type or out of its range.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"]]
        if first["type"] == "unexpected_keyword_argument":
            above = "".join(f"{part}." for part in path[:-1])
            hint = nearest(path[-1], _keys(cls, path[:-1]), before=above) or _elsewhere(cls, path[-1])
            raise InputError(f"{where}: unknown key {brief(above + path[-1])}{hint}") from None
        place, value = ".".join(path) or "top level", brief(first["input"])
        raise InputError(f"{where}: {place}: {first['msg']}, got {value}") from None


def override(config: T, changes: Mapping[str, Any], where: str = "config") -> T:
    """A copy of a config dataclass with values changed by dotted name, such as ``{"filter.form": "shared"}``.

    Raises:
        InputError: as ``from_dict``.
    """
    return from_dict(type(config), changed(to_dict(config), changes), where)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted names: ``{"filter": {"form": "shared"}}`` to ``{"filter.form": "shared"}``."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def changed(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested plain values, changed in place by dotted name.

    Raises:
        InputError: a name goes on below what is a value.
    """
    for dotted, value in changes.items():
        *parents, key = dotted.split(".")
        place = values
        for parent in parents:
            below = place.setdefault(parent, {})
            if not isinstance(below, dict):
                raise InputError(f"{dotted}: {parent!r} is a value, it has no settings below it")
            place = below
        place[key] = value
    return values


def change_model(config: ModelConfig, settings: Mapping[str, Any], where: str = "settings") -> ModelConfig:
    """A model's settings with those that a user changes by dotted name.

    Raises:
        InputError: as ``from_dict``; or a whole section is given, whose other settings would fall back to defaults that
            are not the model's; or the padding, by whose windows a box head has learned how far a cell is.
    """
    for section in (entry.name for entry in fields(ModelConfig)):
        if section in settings:
            raise InputError(f"{where}: {section!r} is a section; change what is in it by dotted names, {section}.NAME")
    changed = override(config, settings, where)
    if changed.tracking.scale_search == "box" and changed.tracking.padding != config.tracking.padding:
        raise InputError(
            f"{where}: tracking.padding: the box head was trained with {config.tracking.padding:g}; "
            "leave it, or use tracking.scale_search=pyramid"
        )
    return changed


def parse_settings(texts: list[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` settings: ``["a.b=1", "c=[x, y]"]`` to ``{"a.b": 1, "c": ["x", "y"]}``; values are YAML.

    Raises:
        InputError: one has no ``=``, or its value is not YAML.
    """
    import yaml

    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(f"setting {text!r}: expected KEY=VALUE, for example filter.form=shared")
        try:
            settings[key.strip()] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError) as error:  # the latter of what looks like a date
            raise InputError(f"setting {text!r}: not YAML: {' '.join(str(error).split())}") from None
    return settings


def _keys(cls: type[Any], path: list[str]) -> list[str]:
    """Names of the fields of the dataclass reached from ``cls`` by ``path``."""
    from typing import get_args, get_origin, get_type_hints

    place: Any = cls
    for part in path:
        # Below a mapping of names to dataclasses stands any name.
        place = get_args(place)[1] if get_origin(place) is dict else get_type_hints(place).get(part)
        if get_origin(place) is not dict and not (isinstance(place, type) and is_dataclass(place)):
            return []
    if get_origin(place) is dict:
        return []
    return [entry.name for entry in fields(place)]


def _elsewhere(cls: type[Any], key: str) -> str:
    """Offer the sections that have the key, as ``nearest`` offers a name."""
    found = [f"{entry.name}.{key}" for entry in fields(cls) if key in _keys(cls, [entry.name])]
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value
