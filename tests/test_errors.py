"""A user's mistake ends a program in one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rartrack.errors import InputError, one_line


def test_a_mistake_ends_the_program_with_its_line_alone() -> None:
    code = "from rartrack.errors import InputError, one_line\nwith one_line():\n    raise InputError('no such file')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no such file\n")


def test_a_function_may_be_called_again_and_other_errors_pass() -> None:
    @one_line()
    def divide(by: int) -> float:
        if by < 0:
            raise InputError("below 0")
        return 1 / by

    for _ in range(2):
        with pytest.raises(SystemExit, match="below 0"):
            divide(-1)
    assert divide(2) == 0.5
    with pytest.raises(ZeroDivisionError):
        divide(0)
