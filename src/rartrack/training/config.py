"""Settings of training: data, optimisation, validation, the model trained; defaults have their sources beside them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal

from rartrack.config import Count, ModelConfig, NotNegative, Positive, Share, Whole, Within
from rartrack.training.split import HELD_OUT

_STRICT = {"extra": "forbid", "strict": False}


@dataclass(frozen=True)
class SourceConfig:
    """One place clips are drawn from."""

    path: str
    """A data set's folder or name (``kind: video``), or a COCO annotation file or its folder (``kind: stills``)."""
    kind: Literal["video", "stills"] = "video"
    """Annotated videos, or annotated photographs that are turned into pseudo-clips."""
    weight: NotNegative = 1.0
    """Share of the clips, relative to the other sources."""
    include: tuple[str, ...] = ("*",)
    """Sequences used, as patterns such as ``uav_*``."""
    exclude: tuple[str, ...] = ()
    """Sequences left out, as patterns of their names or attributes."""
    balance: NotNegative = 0.5
    """Exponent of a sequence's length (a collection's size) in its share: 0 treats all alike, 1 all their frames."""
    area_ratio: tuple[float, float] = (0.1, 0.75)
    """Limits of sqrt(box area / frame area) (DCFNet)."""
    border: NotNegative = 0.05
    """Least distance of a box from the frame's border, as a fraction of the box's size (DCFNet)."""
    smallest: NotNegative = 8.0
    """Least sqrt(box area) in pixels: below it there is nothing to see."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True)
class AugmentConfig:
    """Changes of a clip's look; all frames of a clip change alike (SPEC Sec. 9) unless said otherwise."""

    flip: Share = 0.5
    """Probability of mirroring left and right."""
    grey: Share = 0.25
    """Probability of a grey clip (DaSiamRPN; OTB has grey sequences)."""
    brightness: Share = 0.2
    """Largest relative change of brightness."""
    contrast: Share = 0.2
    """Largest relative change of contrast."""
    saturation: Share = 0.3
    """Largest relative change of saturation."""
    tint: Share = 0.06
    """Largest relative change of a single channel."""
    drift: Share = 0.1
    """Largest relative change of brightness between frames of one pseudo-clip."""
    blur: Share = 0.15
    """Probability that one frame of a clip is blurred, as by defocus or by motion."""
    coarse: Share = 0.0
    """Probability that a clip is seen through few pixels, its target through 17 to 42 a side, coded as JPEG and
    enlarged again, as small targets are."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True)
class PseudoConfig:
    """How photographs become small videos; rates are per step between neighbouring exemplars."""

    compose: Share = 0.5
    """Probability that an object with a mask is cut out and moved over another photograph."""
    part: Share = 0.0
    """Probability that the target is a part of the object, on which the camera then stays: so that what a box was drawn
    around is told from the whole that it belongs to."""
    zoom: NotNegative = 0.08
    """Largest log change of size a step."""
    aspect: NotNegative = 0.05
    """Largest log change of aspect a step."""
    turn: NotNegative = 8.0
    """Largest turn in degrees a step; of what has no mask, whose box then is not known, four in all."""
    view: Share = 0.0
    """Probability that a composed target is seen in another view in the last frame: turned and bent, in the box around
    its mask then."""
    view_turn: NotNegative = 90.0
    """Largest turn in degrees of another view, beside ``turn``."""
    view_bend: NotNegative = 0.12
    """Largest displacement of another view's parts, in target sizes."""
    speed: NotNegative = 0.5
    """Largest motion over the background a step, in target sizes."""
    occlusion: Share = 0.25
    """Probability that a pasted object hides a part of the target in the search frame."""
    covered: Share = 0.4
    """Largest share of the target's box that is hidden."""
    distractor: Share = 0.35
    """Probability that another object, of the same class where there is one, moves beside a composed target."""
    size: tuple[float, float] = (0.1, 0.33)
    """Limits of sqrt(box area / frame area) of a composed target."""
    mirror_border: Share = 0.5
    """Probability that beyond a photograph's border its mirror image continues (else the frame ends there)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True)
class DataConfig:
    """Clips: what they are cut from and how (SPEC Sec. 9)."""

    sources: dict[str, SourceConfig] = field(default_factory=dict)
    """Named sources, mixed by their weights."""
    held_out: tuple[str, ...] = HELD_OUT
    """Sequences kept for validation, as patterns; never trained on."""
    exemplars: Count = 1
    """T, template frames of a clip (the paper's pair is 1)."""
    contexts: Literal[0, 4] | None = None
    """Context crops of a clip's exemplars; as many as the filter has by default. 0 trains on three times as many clips
    in the same time, for a filter that may have contexts all the same."""
    gap: Count = 10
    """Frames between neighbouring frames of a clip, uniform from 1 (DCFNet)."""
    shift: Share = 48 / 255
    """Largest shift of the search crop on each axis, as a fraction of its side (SPEC Sec. 9: 48 pixels of 255)."""
    elsewhere: Share = 0.0
    """Probability that the search window lies around another object of the frame, of the target's class where there is
    one, if the source knows others (photographs do): so that the box head sees look-alikes without the target."""
    turned: Share = 0.0
    """Probability that the search crop is turned by a quarter, a half or three quarters: whose boxes are exact without
    a mask."""
    zoom: NotNegative = 0.05
    """Largest log change of the search window's size (SPEC Sec. 9)."""
    aspect: NotNegative = 0.0
    """Largest log change of the search window's aspect."""
    fit: NotNegative = 0.0
    """Log change of the search window's size at which the label's peak has fallen to exp(-1/2), so that the response is
    highest where the size is right; a change of one side counts half, squared. 0: it is 1 whatever the size, and the
    tracker must tell sizes by what ``zoom`` has left of the difference."""
    cache: str | None = None
    """Folder for decoded surroundings of targets; ``rartrack`` in the user's cache folder by default."""
    cache_images: bool = False
    """Keep the surroundings of targets of image folders too, not of video files alone: pays for large images."""
    cache_quality: Annotated[int, Within(1, 100)] = 92
    """JPEG quality of that cache."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    pseudo: PseudoConfig = field(default_factory=PseudoConfig)

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True)
class OptimizationConfig:
    """Steps and what they change (SPEC Sec. 8)."""

    learns: Literal["features", "box"] = "features"
    """What learns: the features, by the loss of the filter's response (Eq. 8); or, over a network that stays as it is,
    the box head, by the loss of its boxes."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """SGD with momentum as in the paper, or AdamW."""
    learning_rate: tuple[Positive, Positive] = (1e-3, 1e-4)
    """First and last rate, log-spaced over the steps (paper, Sec. 3.4; the spacing is DCFNet's)."""
    momentum: Share = 0.9
    """Of SGD (paper, Sec. 3.4)."""
    weight_decay: NotNegative = 5e-4
    """On kernels; biases and norms have none (paper, Sec. 3.4)."""
    backbone_rate: NotNegative = 0.1
    """Factor on the rate of conv3_x to conv5_x; 0 freezes them (SiamRPN++; 1 is the paper to the letter)."""
    offset_rate: NotNegative = 0.1
    """Factor on the rate of the deformable convolutions' offsets (SPEC Sec. 8)."""
    freeze_early: bool = True
    """Freeze conv1 and conv2_x with their statistics (paper, Sec. 3.4); pointless without pre-trained weights."""
    steps: Whole = 50_000
    """Updates of the weights."""
    batch: Count = 16
    """Clips an update, over all processes and accumulation (SPEC Sec. 8)."""
    remembered: Whole = 0
    """Clips whose backbone features are computed once, kept on disk and used again and again; 0: every clip is new. For
    a wholly frozen backbone on a CPU (ResNet-18 at 127 pixels: 0.5 MB a clip of one exemplar and four contexts)."""
    teacher: str | None = None
    """A checkpoint or a built-in model whose box head the one that learns follows, too: on the remembered clips, cut
    once more in its own size, its boxes and its classification are targets beside the true ones (distillation)."""
    teacher_weight: Positive = 1.0
    """Weight of what departs from the teacher beside what departs from the truth."""
    accumulation: Count = 1
    """Parts in which a process computes its share of the batch; saves memory."""
    warm_up: Whole = 500
    """Steps over which the rate rises from a tenth."""
    clip_norm: Positive = 10.0
    """Largest norm of the gradient (pysot)."""
    average: Share = 0.999
    """Decay of the exponential average of the weights, which is what is validated and shipped; 0 turns it off."""
    batch_statistics: Literal["auto", "running", "batch"] = "auto"
    """Batch norms of unfrozen stages. ``auto``: the running statistics if one pass has under 64 crops, else its own. A
    pass is one process's clips of a batch, or of a part of it (``accumulation``): it may change with their number."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the network under autocast; the filter is float32 always. ``auto``: bfloat16 where the device has it. Features
    that are remembered are computed as with ``auto`` always."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True)
class ValidationConfig:
    """What is measured while training."""

    interval: Count = 1000
    """Steps between validations; also of checkpoints."""
    clips: Whole = 64
    """Clips of held-out sequences whose loss is measured."""
    frames: Whole = 60
    """Frames tracked of each held-out sequence; 0 turns tracking off."""
    sequences: tuple[str, ...] = ("*",)
    """Held-out sequences that are tracked, as patterns."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True)
class TrainingConfig:
    """One training run. A YAML file of ``configs/`` holds one; absent keys keep their defaults."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    backbone: str | None = None
    """Pre-trained weights of the backbone, in torchvision's names."""
    start: str | None = None
    """A checkpoint or a built-in model to start from; what does not fit the network starts anew."""
    output: str = "runs/rar"
    """Folder of the run: checkpoints, curves, log."""
    seed: Annotated[int, Within(0, 2**32 - 1)] = 0
    """Of weights, clips and order."""
    device: str = "auto"
    """``auto``, ``cpu`` or ``cuda``."""
    workers: Whole = 2
    """Processes that cut clips, for each training process; at most one a processor, 0: in the training process."""
    threads: Count | None = None
    """Threads of the network on the CPU; all cores by default."""
    log_interval: Count = 20
    """Steps between rows of the log."""

    @property
    def clip_model(self) -> ModelConfig:
        """The model as clips see it: its filter has their number of contexts."""
        if self.data.contexts is None:
            return self.model
        return replace(self.model, filter=replace(self.model.filter, contexts=self.data.contexts))

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
