"""The YAML files people start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from rartrack.config import parse_settings
from rartrack.config_files import load_yaml, read_yaml
from rartrack.errors import InputError
from rartrack.network.rar import RAR
from rartrack.training.config import OptimizationConfig, TrainingConfig
from rartrack.training.split import COPIES, matches

FOLDER = Path(__file__).parents[2] / "configs"
RUNS = sorted(FOLDER.glob("*.yaml"))
FILES = [*RUNS, *sorted((FOLDER / "untrained").glob("*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_every_config_loads_and_explains_itself(path: Path) -> None:
    load_yaml(TrainingConfig, path)
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_every_config_describes_a_network_that_exists(path: Path) -> None:
    import torch

    config = load_yaml(TrainingConfig, path)
    with torch.device("meta"):
        RAR(config.model.network)


@pytest.mark.parametrize("path", [path for path in RUNS if path.stem != "data"], ids=lambda path: path.stem)
def test_every_config_has_a_run_of_its_name(path: Path) -> None:
    assert load_yaml(TrainingConfig, path).output == f"runs/{path.stem}"


def test_rars_config_has_the_documented_defaults() -> None:
    config = load_yaml(TrainingConfig, FOLDER / "rar.yaml")
    assert config.optimization == OptimizationConfig()
    assert config.model.network.levels == (3, 4, 5)
    assert config.model.network.deformable == ("layer3.0",)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("nhf", "levels", (5,)),
        ("naa", "attention", False),
        ("nta", "inter_frame", False),
        ("nca", "channel", False),
        ("nsa", "spatial", False),
    ],
)
def test_an_ablation_differs_from_rar_in_its_own_switch_alone(name: str, key: str, value: object) -> None:
    from dataclasses import replace

    rar = load_yaml(TrainingConfig, FOLDER / "rar.yaml")
    ablation = load_yaml(TrainingConfig, FOLDER / f"ablation-{name}.yaml")
    network = replace(rar.model.network, **{key: value})
    assert network != rar.model.network
    assert replace(ablation, output=rar.output) == replace(rar, model=replace(rar.model, network=network))


def test_a_misspelt_key_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("optimization: {batsh: 3}\n")
    with pytest.raises(InputError, match=r"unknown key 'optimization.batsh'; did you mean 'optimization.batch'\?"):
        load_yaml(TrainingConfig, path)
    path.write_text("data: {sources: {mine: {path: x, wieght: 2}}}\n")
    with pytest.raises(InputError, match=r"'data.sources.mine.wieght'; did you mean 'data.sources.mine.weight'\?"):
        load_yaml(TrainingConfig, path)


@pytest.mark.parametrize(
    ("value", "message"),
    [("[1e-3,0]", r"learning_rate\.1: must be above 0, got 0"), ("[-1,1]", r"\.0: must be above 0")],
)
def test_learning_rates_that_have_no_logarithm_are_refused_when_read(value: str, message: str) -> None:
    changes = parse_settings([f"optimization.learning_rate={value}"])
    with pytest.raises(InputError, match=message) as caught:
        load_yaml(TrainingConfig, FOLDER / "tiny.yaml", changes)
    assert "\n" not in str(caught.value)


def test_a_base_gives_what_a_config_leaves_unsaid_and_null_takes_away(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("seed: 3\nstart: x\ndata: {gap: 4, sources: {a: {path: p}, b: {path: q}}}\n")
    (tmp_path / "own.yaml").write_text("base: base.yaml\nstart: null\ndata: {gap: 5, sources: {a: null}}\n")
    config = load_yaml(TrainingConfig, tmp_path / "own.yaml", {"data.sources.b.weight": 2})
    assert (config.seed, config.start, config.data.gap) == (3, None, 5)
    assert list(config.data.sources) == ["b"]
    assert config.data.sources["b"].weight == 2


def test_a_config_that_is_its_own_base_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("base: b.yaml\n")
    (tmp_path / "b.yaml").write_text("base: a.yaml\n")
    with pytest.raises(InputError, match="its own base"):
        load_yaml(TrainingConfig, tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("key", "value", "range_"),
    [
        ("optimization.batch", 0, "1 or more"),
        ("data.exemplars", -1, "1 or more"),
        ("data.shift", 1.5, "0 to 1"),
        ("model.network.hidden_channels", 0, "1 or more"),
        ("validation.clips", -1, "0 or more"),
    ],
)
def test_a_value_out_of_its_range_is_refused_before_data_is_looked_for(key: str, value: float, range_: str) -> None:
    with pytest.raises(InputError, match=f"{key}: must be {range_}, got {value}"):
        load_yaml(TrainingConfig, FOLDER / "tiny.yaml", {key: value})


def test_a_source_is_taken_away_on_the_command_line_as_in_a_file() -> None:
    config = load_yaml(
        TrainingConfig, FOLDER / "fast.yaml", parse_settings(["data.sources.ground=null", "backbone=null"])
    )
    assert list(config.data.sources) == ["davis", "aerial", "stills"]
    assert config.backbone is None
    with pytest.raises(InputError, match="unknown key"):
        load_yaml(TrainingConfig, FOLDER / "fast.yaml", parse_settings(["bacbone=null"]))
    with pytest.raises(InputError, match="gruond"):
        load_yaml(TrainingConfig, FOLDER / "fast.yaml", parse_settings(["data.sources.gruond=null"]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_no_config_trains_on_a_test_sequence_under_another_name(path: Path) -> None:
    sources = read_yaml(path).get("data", {}).get("sources", {})
    for source in sources.values():
        if source.get("path") == "train":
            for name in COPIES:
                assert not matches(name, source.get("include", ["*"])) or matches(name, source.get("exclude", []))
