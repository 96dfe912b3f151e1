"""The commands that the documents show are commands: each is read by the parser that will read it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from rartrack.cli import main
from rartrack.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(path: Path) -> list[str]:
    """The lines of a document's fenced blocks that begin with ``rartrack``, those joined that go on."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    return [line for line in lines if re.match(r"(torchrun .*-m )?rartrack (?!\.\.\.)", line)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_are_understood(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in commands(path):
        words = shlex.split(line, comments=True)
        words = words[words.index("rartrack") + 1 :]
        if "..." in words or not words:
            continue
        assert words[0] in COMMANDS, line
        seen: list[object] = []
        module = f"rartrack.cli.{words[0]}"
        monkeypatch.setattr(f"{module}.run", lambda options, seen=seen: seen.append(options))
        assert main(words) == 0, line
        assert seen, line
        monkeypatch.undo()


def test_there_are_commands_to_read() -> None:
    assert sum(len(commands(path)) for path in DOCUMENTS) > 40
