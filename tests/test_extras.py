"""A package that is missing is named as it is installed, with the extra that brings it."""

from __future__ import annotations

import json.decoder

import pytest

from rartrack.errors import InputError
from rartrack.extras import need


def test_of_a_part_the_whole_is_given() -> None:
    assert need("json.decoder", "vot") is json


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("nowhere.part", "vot"), "nowhere is not installed; pip install 'rartrack[vot]' brings it"),
        (("nowhere", "vot", "no-where"), "no-where is not installed; pip install 'rartrack[vot]' brings it"),
        (("nowhere", None), "nowhere is not installed; pip install 'rartrack' brings it"),
    ],
)
def test_what_is_missing_is_named_as_it_is_installed(given: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError) as caught:
        need(*given)
    assert str(caught.value) == said
