"""Parse the command line and run one command; a user's mistake is one line on stderr and exit status 2."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rartrack import __version__
from rartrack.cli.stopping import Interrupt, when_asked_to_stop
from rartrack.cli.streams import drop_unread_output, open_closed_streams, print_any_name, say
from rartrack.errors import InputError, brief

DONE, WRONG, INTERRUPTED, UNREAD = 0, 2, 130, 141

COMMANDS = {
    "track": "follow objects through a video",
    "evaluate": "run trackers over the sequences of a data set",
    "report": "score raw results, ours or anybody's: tables, plots, one page",
    "data": "look through data sets",
    "train": "train a model, or go on with a run",
    "export": "write a model's network as an ONNX file",
    "tune": "choose tracking settings on validation videos",
    "inspect": "show what the network looks at: features, attention, response",
    "trax": "be a tracker for the VOT toolkit, over the TraX protocol",
    "models": "list the models at hand",
    "doctor": "show what this machine can do",
}
"""Command -> one line of help. ``rartrack.cli.<command>`` holds ``add_arguments(parser)`` and ``run(args)``; it is
imported only when its command is given, so that ``--help`` opens without torch."""


_NO_MEMORY = re.compile(
    r"(can't|cannot|failed to) (allocate(?! memory in static)|map)|not enough memory|out of memory", re.IGNORECASE
)
"""What torch and the loader of libraries say then."""

_CHANGE = re.compile(r"[A-Za-z_][\w.]*=")
_NUMBER = re.compile(r"[-\d.,]+")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 2 wrong use or bad input, 130 interrupted, 141 (what a
    shell says of SIGPIPE) if whoever read stdout has left. SIGTERM and SIGHUP interrupt as Ctrl-C does."""
    open_closed_streams()
    print_any_name()
    warnings.showwarning = _show_warning
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # what it would print, an InputError says
    try:
        with when_asked_to_stop(Interrupt()):
            status = _run(sys.argv[1:] if arguments is None else list(arguments))
            sys.stdout.flush()
        return status
    except InputError as error:
        say(f"rartrack: {error}")
        return WRONG
    except KeyboardInterrupt:
        say("rartrack: interrupted; what was done is kept")
        return INTERRUPTED
    except BrokenPipeError:
        drop_unread_output()
        return UNREAD
    except (MemoryError, ImportError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not _NO_MEMORY.search(str(error)):
            raise
        why = f" ({brief(error)})" if str(error) else ""
        say(f"rartrack: not enough memory{why}; end other programs, or give less at once: frames, targets, batches")
        return WRONG
    except OSError as error:  # a disk that fills up or goes away, wherever that is noticed
        where = f"{error.filename}: " if error.filename else ""
        say(f"rartrack: {where}{error.strerror or error}")
        drop_unread_output()
        return WRONG


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    say(f"rartrack: warning: {message}")


def _run(arguments: list[str]) -> int:
    parser = _Parser(prog="rartrack", description="Follow objects through video, given only a box in the first frame.")
    parser.add_argument("--version", action="version", version=f"rartrack {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == chosen:
            module = importlib.import_module(f"rartrack.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    try:
        options, left = parser.parse_known_args(_negative_boxes(arguments))
        _take_late_changes(options, left)
    except InputError as error:
        dashed = next((word for word in arguments if word.startswith("-") and Path(word).exists()), None)
        raise InputError(f"{error}; if {dashed} is a file, write ./{dashed}" if dashed else str(error)) from None
    options.arguments = arguments
    status = options.run(options)
    return DONE if status is None else int(status)


def _take_late_changes(options: argparse.Namespace, left: list[str]) -> None:
    """Give a command that takes ``KEY=VALUE`` words those that argparse left over because an option stands before them.

    Raises:
        InputError: other words are left over.
    """
    if "changes" in options:
        options.changes = [*options.changes, *(word for word in left if _CHANGE.match(word))]
        left = [word for word in left if not _CHANGE.match(word)]
    if left:
        command = " ".join(filter(None, ("rartrack", options.command, getattr(options, "action", None))))
        takes = next((name for name in ("set", "space") if name in options), None)
        hint = f"; settings go after --{takes}" if takes and any(map(_CHANGE.match, left)) else ""
        if "box" in options and all(map(_NUMBER.fullmatch, left)):
            hint = "; a box is one word, --box X,Y,W,H"
        elif "source" in options and all(map(os.path.isfile, left)):
            hint = "; of images, give the folder"
        raise InputError(f"unrecognized arguments: {' '.join(left)}{hint} (see {command} --help)")


def _negative_boxes(arguments: list[str]) -> list[str]:
    """Join ``--box -5,10,20,20``, whose value would be taken for an option, as ``--box=-5,10,20,20``."""
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1] == "--box" and re.match(r"-[\d.]", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined
