"""From a word on the command line to a tracker: ours, OpenCV's, any Python callable, any program that speaks TraX.

``[NAME=]SPEC``, where NAME is the folder its results go to, and SPEC is

- the name of a built-in model (``rar-resnet50``) or the path of a checkpoint, with a preset if wanted
  (``rar-fast@quality``);
- ``opencv:csrt``, ``opencv:kcf``, ``opencv:mil``, ``opencv:nano[-VARIANT]:FOLDER``;
- ``module:callable`` or ``path/to/file.py:callable``, which gives an object with ``init(frame, box)`` and
  ``update(frame)``: an RGB uint8 frame, four floats x, y, w, h (0-based), and back such a box or an object whose
  ``box`` it is;
- ``trax:COMMAND``, a program and its arguments.

What ``parse_tracker`` returns is small and picklable; weights are loaded where the tracker runs.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import re
import shlex
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from rartrack.boxes import Box
from rartrack.code_digest import code_digest
from rartrack.config import preset_settings
from rartrack.errors import InputError, brief
from rartrack.evaluation.opencv import parse_opencv
from rartrack.evaluation.python_sources import imported_files
from rartrack.outputs import file_digest
from rartrack.video.images import Image

_NAMED = re.compile(r"(?P<name>[\w.+-]+)=(?P<spec>.+)")
_CALLABLE = re.compile(r"(?P<module>.+\.py|[A-Za-z_][\w.]*):(?P<callable>[A-Za-z_][\w.]*)")


class Tracker(Protocol):
    """A tracker of one target."""

    def init(self, frame: Image, box: Box, /) -> object:
        """Start on a frame, RGB uint8 (H, W, 3), with a box (0-based); what it returns is not used."""

    def update(self, frame: Image, /) -> Any:
        """The box x, y, w, h in the next frame, four NaN where it sees none, or an object whose ``box`` or, rather,
        polygonal ``region`` it is."""


class TrackerSpec(Protocol):
    """What is known of a tracker before it is loaded; small and picklable."""

    @property
    def name(self) -> str:
        """Name of the folder its results go to."""

    def describe(self) -> dict[str, Any]:
        """All that makes its results, JSON-like: kind, version, hashes of weights and code, settings.

        Raises:
            InputError: it cannot be found.
        """

    def build(self, threads: int) -> Tracker:
        """Load it; it may use so many threads."""


def uses_gpu(tracker: TrackerSpec) -> bool:
    """Whether it is one of ours that runs on a GPU, which processes would have to share.

    Raises:
        InputError: it is to run on a device that is not there.
    """
    device = getattr(tracker, "device", "cpu")
    if device == "cpu":
        return False
    from rartrack.tracking.load import pick_device

    return pick_device(device, getattr(tracker, "backend", "torch")).type == "cuda"


@dataclass(frozen=True)
class RarTracker:
    """Ours: a built-in model or a checkpoint, with settings changed if asked for.

    Attributes:
        name: of the results' folder.
        model: built-in name or path.
        device: ``auto``, ``cpu``, ``cuda``, ...
        settings: dotted names of ``ModelConfig`` and their values, such as ``("filter.form", "shared")``.
        backend: which library runs the network, see ``rartrack.backends``.
    """

    name: str
    model: str
    device: str = "auto"
    settings: tuple[tuple[str, Any], ...] = ()
    backend: str = "torch"

    def describe(self) -> dict[str, Any]:
        """Hash of the weights, all settings, device, backend, precision and the code of network, filter and loop."""
        from rartrack import checkpoints
        from rartrack.backends import backend_version
        from rartrack.config import change_model, to_dict
        from rartrack.tracking.load import arithmetic_of, pick_device, settings_of

        config = change_model(settings_of(self.model), dict(self.settings))
        device = pick_device(self.device, self.backend)
        folders = ("network", "filter", "tracking", "backends")
        return {
            "tracker": "rar",
            "weights": checkpoints.fingerprint(self.model),
            "config": to_dict(config),
            "device": str(device),
            "backend": backend_version(self.backend),
            **arithmetic_of(self.model, config, self.backend, device),
            "code": code_digest("boxes.py", "checkpoints.py", "config.py", *folders),
        }

    def build(self, threads: int) -> Tracker:
        """Load weights and settings; threads are set for the whole process."""
        from rartrack.tracking.load import load
        from rartrack.tracking.threads import use_threads

        use_threads(threads)
        return load(self.model, self.device, dict(self.settings), self.backend)


@dataclass(frozen=True)
class CallableTracker:
    """``module:callable``: called without arguments it gives an object with ``init`` and ``update``."""

    name: str
    module: str
    attribute: str

    def describe(self) -> dict[str, Any]:
        """Its version, if the module has one, the hash of the files that it is named in and defined in and of those of
        their folders or packages that these import, and what its own attribute ``version`` says."""
        module, found = self._find()
        sources = dict.fromkeys([getattr(module, "__file__", None), _defined_in(found)])
        files = dict.fromkeys(Path(source).resolve() for source in sources if source)
        for each in (module, sys.modules.get(str(getattr(found, "__module__", "")))):
            files |= dict.fromkeys(imported_files(each) if each else [])
        content = [file.read_bytes() for file in files]
        code = hashlib.sha256(b"".join(content)).hexdigest() if content else None
        version = getattr(module, "__version__", None)
        described = {"tracker": f"{Path(self.module).name}:{self.attribute}", "version": version, "code": code}
        own = getattr(found, "version", None)
        if own is None:
            return described
        if not isinstance(own, (str, int, float)):
            raise InputError(f"{self.name}: its version is {brief(own)}, expected text or a number")
        return {**described, "own_version": own}

    def build(self, threads: int) -> Tracker:  # noqa: ARG002 it has no word in either
        """Call the callable."""
        tracker: Tracker = self._find()[1]()
        return tracker

    def _find(self) -> tuple[ModuleType, Any]:
        module = _from_file(Path(self.module)) if self.module.endswith(".py") else _from_name(self.module)
        found: Any = module
        for part in self.attribute.split("."):
            found = getattr(found, part, None)
        if not callable(found):
            raise InputError(f"tracker {self.module}:{self.attribute}: the module has no callable {self.attribute!r}")
        return module, found


@dataclass(frozen=True)
class TraxTracker:
    """``trax:COMMAND``: a program that speaks the VOT challenge's protocol over its standard input and output."""

    name: str
    command: tuple[str, ...]
    time_limit: float | None = None

    def describe(self) -> dict[str, Any]:
        """The command, and the hashes of those of its words that are files."""
        words = [Path(word) for word in self.command]
        files = {word.name: file_digest(word) for word in words if word.is_file()}
        return {"tracker": "trax", "command": list(self.command), "files": files}

    def build(self, threads: int) -> Tracker:  # noqa: ARG002
        """Start the program, which chooses its threads itself."""
        from rartrack.evaluation.trax import TraxProgram, library

        library()
        limit = threading.TIMEOUT_MAX if self.time_limit is None else min(self.time_limit, threading.TIMEOUT_MAX)
        program = TraxProgram(self.command, reply_limit=limit)
        program.start()
        return program


def parse_tracker(
    text: str,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    time_limit: float | None = None,
    backend: str = "torch",
) -> TrackerSpec:
    """Read one ``--tracker``.

    Args:
        text: ``[NAME=]SPEC``, see this module.
        device: for our models.
        settings: for our models, dotted name -> value.
        time_limit: seconds a TraX program may take for one frame.
        backend: for our models, see ``rartrack.backends``.

    Raises:
        InputError: it cannot be understood.
    """
    named = _NAMED.fullmatch(text)
    name, spec = (named["name"], named["spec"]) if named else (None, text)
    kind, _, rest = spec.partition(":")
    if not spec.strip() or (kind in ("opencv", "trax") and not rest.strip()):
        raise InputError(f"tracker {text!r}: empty; expected a model, opencv:KIND, module:callable or trax:COMMAND")
    if kind == "opencv":
        return parse_opencv(rest, name)
    if kind == "trax":
        try:
            command = tuple(shlex.split(rest.replace("\\", "\\\\") if os.name == "nt" else rest))
        except ValueError as error:
            raise InputError(f"tracker {text!r}: {str(error).lower()} in its command") from None
        return TraxTracker(name or _folder_name(Path(command[0]).stem), command, time_limit)
    if (match := _CALLABLE.fullmatch(spec)) and not Path(spec).is_file():
        module, attribute = match["module"], match["callable"]
        if module.endswith(".py"):
            module = str(Path(module).resolve())
            stem = Path(module).stem
        else:
            stem = module.rpartition(".")[2]
        return CallableTracker(name or _folder_name(f"{stem}.{attribute}"), module, attribute)
    path, at, preset = (spec, "", "") if Path(spec).is_file() else spec.rpartition("@")
    if not at:
        path, preset = spec, ""
    changes = preset_settings(preset or None, settings)
    model = str(Path(path).resolve()) if Path(path).is_file() else path
    stem = Path(path).name.removesuffix(".xz").removesuffix(".safetensors").removesuffix(".onnx")
    own_name = _folder_name(f"{stem}-{preset}" if preset else stem)
    # Lists, as YAML has them, could not be looked up by.
    fixed = {key: tuple(value) if isinstance(value, list) else value for key, value in changes.items()}
    return RarTracker(name or own_name, model, device, tuple(sorted(fixed.items())), backend)


def _folder_name(text: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", text).lstrip("_-.").rstrip("-.") or "tracker"


def _defined_in(found: object) -> str | None:
    """The file of a class's or function's source, if there is one."""
    try:
        return inspect.getsourcefile(found)  # type: ignore[arg-type]
    except TypeError:
        return None


def _from_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise InputError(
                f"tracker module {name!r}: not found; give its file (path/to/{name}.py:callable), install it, "
                "or set PYTHONPATH"
            ) from None
        raise


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"tracker {path}: no such file")
    name = f"_rartrack_tracker_{path.stem}"
    if name in sys.modules and sys.modules[name].__file__ == str(path):
        return sys.modules[name]
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module
