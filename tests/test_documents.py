"""The commands that the documents show are commands: each is read by the parser that will read it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from rartrack.cli import main
from rartrack.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "examples/README.md")
DOCUMENTS = [*(ROOT / page for page in PAGES), *sorted((ROOT / "docs").rglob("*.md"))]
OURS = r"(?:torchrun .*-m )?rartrack (?!\.\.\.)"
PROGRAM = r"(?:\w+=\S+ )*python (?:-m (?P<module>rartrack\.\S+)|(?P<file>(?:scripts|benchmarks)/\w+\.py))"


def commands(pattern: str) -> list[object]:
    """The lines of all documents' blocks, fenced or indented, that begin so; those joined that go on."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        blocks = re.findall(r"^```[^\n]*\n(.*?)^```|((?:^ {4}[^\n]*\n)+)", text, re.MULTILINE | re.DOTALL)
        for block in ("".join(either) for either in blocks):
            lines = (line.strip() for line in re.sub(r"\\\n\s*", " ", block).splitlines())
            name = path.relative_to(ROOT).as_posix()
            found += [pytest.param(line, id=f"{name}: {line[:60]}") for line in lines if re.match(pattern, line)]
    return found


@pytest.mark.parametrize("line", commands(OURS))
def test_commands_are_understood(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(line, comments=True)
    words = words[words.index("rartrack") + 1 :]
    if "..." in words:
        return
    assert words[0] in COMMANDS
    seen: list[object] = []
    monkeypatch.setattr(f"rartrack.cli.{words[0]}.run", seen.append)
    assert main(words) == 0
    assert seen


@pytest.mark.parametrize("line", commands(PROGRAM))
def test_programs_are_there_and_have_the_options_they_are_given(line: str) -> None:
    named = re.match(PROGRAM, line)
    assert named
    path = ROOT / (named["file"] or f"src/{named['module'].replace('.', '/')}.py")
    source = path.read_text(encoding="utf-8")
    for helper in re.findall(r"^from (\w+) import", source, re.MULTILINE):
        if (path.parent / f"{helper}.py").is_file():
            source += (path.parent / f"{helper}.py").read_text(encoding="utf-8")
    declared = set(re.findall(r'"(--[\w-]+)"', source))
    given = {word.partition("=")[0] for word in shlex.split(line, comments=True) if word.startswith("--")}
    assert given <= declared


def test_there_are_commands_to_read() -> None:
    assert len(commands(OURS)) > 40
    assert len(commands(PROGRAM)) > 40
