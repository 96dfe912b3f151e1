"""Help of every command: quick, because torch stays unloaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rartrack.cli.main import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_opens_without_torch(command: str) -> None:
    code = f"""
import sys
from rartrack.cli import main
try:
    main(["{command}", "--help"])
finally:
    assert "torch" not in sys.modules
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"rartrack {command}" in shown.stdout
