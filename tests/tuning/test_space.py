"""What a search varies, and that its trials follow from the seed alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from rartrack.config import ModelConfig
from rartrack.errors import InputError
from rartrack.tuning.space import Choice, Range, current, draw, parse_space

SPACE = ("filter.learning_rate=0.001:0.1:log", "tracking.update_interval=1:5", "filter.form=exact,shared")
FOLDER = Path(__file__).parents[2] / "configs" / "spaces"


def drawn(texts=SPACE, trials=16, seed=0):
    space = parse_space(texts)
    return draw(space, current(ModelConfig(), space), trials, seed)


def test_ranges_and_lists_of_values() -> None:
    assert parse_space(SPACE) == (
        Range("filter.learning_rate", 0.001, 0.1, log=True),
        Range("tracking.update_interval", 1, 5, integer=True),
        Choice("filter.form", ("exact", "shared")),
    )
    assert parse_space(["filter.regularization=1e-5,1e-4"]) == (Choice("filter.regularization", (1e-5, 1e-4)),)


def test_a_file_says_the_same_nested_or_dotted(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text("filter:\n  learning_rate: 0.001:0.1:log\n  form: [exact, shared]\ntracking.update_interval: 1:5\n")
    assert set(parse_space([str(path)])) == set(parse_space(SPACE))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_space_that_comes_along_can_be_drawn_from(path: Path) -> None:
    assert len(drawn([str(path)], trials=8)) == 9
    assert path.read_text().startswith("# ")


def test_trial_zero_has_the_current_settings_even_outside_the_space() -> None:
    assert drawn(["filter.learning_rate=0.5:0.6"])[0] == {"filter.learning_rate": 0.01}


def test_trials_lie_in_the_space_and_differ() -> None:
    for settings in drawn()[1:]:
        assert 0.001 <= settings["filter.learning_rate"] <= 0.1
        assert settings["tracking.update_interval"] in range(1, 6)
        assert isinstance(settings["tracking.update_interval"], int)
        assert settings["filter.form"] in ("exact", "shared")
    assert len({tuple(settings.items()) for settings in drawn()}) == 17


def test_a_longer_search_begins_with_the_shorter_one() -> None:
    assert drawn(trials=20)[:9] == drawn(trials=8)
    assert drawn(trials=8, seed=1)[1:] != drawn(trials=8)[1:]


def test_a_logarithmic_range_is_even_in_the_logarithm() -> None:
    rates = [settings["filter.learning_rate"] for settings in drawn(trials=64)[1:]]
    assert sum(rate < 0.01 for rate in rates) == pytest.approx(32, abs=3)


def test_the_bounds_of_whole_numbers_are_as_likely_as_the_rest() -> None:
    values = [Range("tracking.scales", 1, 4, integer=True).at(share / 100) for share in range(100)]
    assert [values.count(number) for number in (1, 2, 3, 4)] == pytest.approx([25] * 4, abs=1)


def test_an_exhausted_space_gives_fewer_trials() -> None:
    found = drawn(["tracking.update_interval=1:4"], trials=10)
    assert sorted(settings["tracking.update_interval"] for settings in found) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("filter.lerning_rate=0.1:0.2", "unknown key 'filter.lerning_rate'; did you mean 'filter.learning_rate'?"),
        ("learning_rate=0.1:0.2", "did you mean 'filter.learning_rate'?"),
        ("tracking.label_sigma=0.1:0.2", "did you mean 'filter.label_sigma'?"),
        ("network.attention=true,false", "fixed by its weights"),
        ("filter.learning_rate=0.1", "expected KEY=LOW:HIGH"),
        ("filter.learning_rate=0.1:0.2:lin", "expected KEY=LOW:HIGH"),
        ("filter.learning_rate=0.1:0.2:log:3", "expected KEY=LOW:HIGH"),
        ("filter.learning_rate=a:b", "the bounds must be numbers"),
        ("filter.learning_rate=0.1:inf", "must be finite"),
        ("filter.learning_rate=0.2:0.1", "0.2 is not below 0.1"),
        ("filter.learning_rate=0.1:0.1", "0.1 is not below 0.1"),
        ("filter.learning_rate=0:0.1:log", "starts above 0"),
        ("tracking.scales=1.5:3", "whole numbers"),
        ("tracking.scales=1:3", "tracking.scales: must be odd, 1 to 101, got 2"),
        ("filter.learning_rate=0.5:2", "filter.learning_rate: must be 0 to 1, got 2"),
        ("filter.form=0:1", "not a number; list its values"),
        ("filter.form=exact,nonsense", "nonsense"),
        ("tracking.size_limits=0.1:0.2", "not a number"),
        ("filter.learning_rate=", "expected KEY=LOW:HIGH"),
        ("nowhere.yaml", "No such file"),
        ("nonsense", "expected KEY=LOW:HIGH"),
    ],
)
def test_a_malformed_space_is_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_space([text])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_setting_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="given twice"):
        parse_space([SPACE[0], SPACE[0]])


def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text("- 1\n- 2\n")
    with pytest.raises(InputError, match="expected a mapping of settings"):
        parse_space([str(path)])
