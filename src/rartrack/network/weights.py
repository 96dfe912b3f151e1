"""Pre-trained backbone weights, loaded strictly by torchvision's names."""

from __future__ import annotations

import io
import lzma
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from rartrack.errors import InputError
from rartrack.network.base import Backbone

_COUNTER = "num_batches_tracked"


def load_backbone_weights(backbone: Backbone, path: str | Path) -> None:
    """Copy pre-trained weights into a backbone; nothing is changed when an error is raised.

    Names and shapes must match, with these exceptions: the classifier and stages that were not built are passed over,
    batch norms' counters may be there or not, and a deformable block's plain 3x3 weight becomes its deformable weight,
    the offsets staying as they are (zero when fresh). ResNets' are to expect RGB less the mean, over the standard
    deviation, as torchvision's do; VGG-M's are taken as they were published (``VGGM.as_expected``).

    Args:
        backbone: as ``build_backbone`` gives it.
        path: ``.safetensors``, ``.safetensors.xz``, or a PyTorch state dict (``.pth``, ``.pt``); half or single floats.

    Raises:
        InputError: the file is missing, truncated, no weights, or does not fit this backbone.
    """
    path = Path(path)
    found = {name: value for name, value in read_tensors(path).items() if not name.startswith(backbone.unused)}
    expected = backbone.state_dict()
    _check_names(path, backbone, found, expected)
    for name, wanted in expected.items():
        value = found.get(name, wanted)
        if value.shape != wanted.shape:
            shapes = f"{_shape(value)}, {_shape(wanted)} expected"
            raise InputError(f"{path}: {name} is {shapes}; check network.backbone and network.width_divisor")
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise InputError(f"{path}: {name} holds values that are not finite; fetch the file again")
    found = dict(backbone.as_expected(found))
    # A counter of batches is left as it is: it matters to no one once the statistics are there.
    backbone.load_state_dict({k: v for k, v in found.items() if not k.endswith(_COUNTER)}, strict=False)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a ``.safetensors``, ``.safetensors.xz``, ``.pth`` or ``.pt`` file.

    Raises:
        InputError: missing, unreadable, truncated, or no state dict.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read the weights: {error.strerror}") from None
    if path.suffix in (".pth", ".pt"):
        return _read_pickled(path, content)
    if not path.name.endswith((".safetensors", ".safetensors.xz")):
        raise InputError(f"{path}: unknown kind of weights; .safetensors, .safetensors.xz, .pth and .pt are read")
    try:
        return load_safetensors(lzma.decompress(content) if path.suffix == ".xz" else content)
    except (lzma.LZMAError, EOFError, SafetensorError, ValueError) as error:
        raise InputError(f"{path}: not a complete safetensors file ({error}); fetch it again") from None


def _read_pickled(path: Path, content: bytes) -> dict[str, Tensor]:
    """Read a PyTorch file with ``weights_only``, which runs no code from it."""
    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # on damaged bytes the restricted unpickler fails in whatever way they lead it
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not a complete file of plain PyTorch weights ({reason}); fetch it again") from None
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError(f"{path}: not a state dict (name -> tensor); save model.state_dict() and pass that file")
    return {str(name): value for name, value in loaded.items()}


def _check_names(path: Path, backbone: Backbone, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    optional = (f".{_COUNTER}", ".offset.weight", ".offset.bias")
    missing = [name for name in expected if name not in found and not name.endswith(optional)]
    extra = [name for name in found if name not in expected and not name.endswith(_COUNTER)]
    kind = type(backbone).__name__
    if missing:
        raise InputError(f"{path}: no weights of this {kind}: {_some(missing)} missing; check network.backbone")
    if extra:
        raise InputError(f"{path}: not weights of this {kind}: {_some(extra)} unknown; check network.backbone")


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"
