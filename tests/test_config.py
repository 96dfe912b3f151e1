"""Settings: defaults, plain values and back, and what a mistake is answered with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rartrack.config import (
    FilterConfig,
    ModelConfig,
    NetworkConfig,
    TrackingConfig,
    change_model,
    changed,
    flat,
    from_dict,
    parse_settings,
    to_dict,
)
from rartrack.config_files import load_yaml, read_mapping
from rartrack.errors import InputError


def save(folder: Path, text: str) -> Path:
    path = folder / "model.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_left_out_keeps_its_default() -> None:
    config = from_dict(ModelConfig, {"network": {"backbone": "resnet18"}})
    assert config.network == NetworkConfig(backbone="resnet18")
    assert (config.filter, config.tracking) == (FilterConfig(), TrackingConfig())
    assert from_dict(ModelConfig, {}) == ModelConfig()


def test_plain_values_through_yaml_give_the_same_settings() -> None:
    config = ModelConfig(
        NetworkConfig(levels=(3, 4), deformable=()), FilterConfig(contexts=0), TrackingConfig(size_limits=(0.5, 2.0))
    )
    assert from_dict(ModelConfig, yaml.safe_load(yaml.safe_dump(to_dict(config)))) == config


def test_plain_values_hold_only_what_yaml_and_json_hold() -> None:
    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(entry) for key, entry in value.items())
        return all(map(plain, value)) if isinstance(value, list) else type(value) in (int, float, str, bool, type(None))

    assert plain(to_dict(ModelConfig()))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"network": {"backbon": "vggm"}}, r"unknown key 'network.backbon'; did you mean 'network.backbone'\?"),
        ({"update_interval": 5}, r"unknown key 'update_interval'; did you mean 'tracking.update_interval'\?$"),
        ({"fliter": {}}, r"unknown key 'fliter'; did you mean 'filter'\?"),
        ({"tracking": {"xyz": 1}}, "unknown key 'tracking.xyz'$"),
        ({"network": {"backbone": "alexnet"}}, "network.backbone: .*'resnet50'.*got 'alexnet'"),
        ({"filter": {"contexts": 3}}, "filter.contexts: .*got 3"),
        ({"tracking": {"scales": "many"}}, "tracking.scales: .*integer.*got 'many'"),
        ({"tracking": {"scales": 2.5}}, "tracking.scales: .*got 2.5"),
        ({"network": {"dilate": "perhaps"}}, "network.dilate: .*boolean.*got 'perhaps'"),
        ({"network": {"levels": 5}}, "network.levels: .*got 5"),
        ({"tracking": {"size_limits": [1, 2, 3]}}, "tracking.size_limits"),
        ({"tracking": {"update_interval": 0}}, "tracking.update_interval: must be 1 or more, got 0"),
        ({"tracking": {"scale_interval": 0}}, "tracking.scale_interval: must be 1 or more, got 0"),
        ({"tracking": {"lost_after": -1}}, "tracking.lost_after: must be 1 or more, got -1"),
        ({"tracking": {"padding": -1}}, "tracking.padding: must be 0 to 20, got -1"),
        ({"tracking": {"scales": 0}}, "tracking.scales: must be odd, 1 to 101, got 0"),
        ({"tracking": {"scales": 2}}, "tracking.scales: must be odd, 1 to 101, got 2"),
        ({"tracking": {"found_above": 1.1}}, "tracking.found_above: must be 0 to 1, got 1.1"),
        ({"tracking": {"size_limits": [0, 5]}}, r"tracking.size_limits.0: must be above 0 to 1, got 0"),
        ({"tracking": {"size_limits": [0.5, 0.9]}}, r"tracking.size_limits.1: must be 1 or more, got 0.9"),
        ({"filter": {"learning_rate": float("nan")}}, "filter.learning_rate: must be 0 to 1, got nan"),
        ({"filter": {"learning_rate": 5}}, "filter.learning_rate: must be 0 to 1, got 5"),
        ({"filter": {"label_sigma": 0}}, "filter.label_sigma: must be above 0, got 0"),
        ({"filter": {"regularization": float("inf")}}, "filter.regularization: must be above 0, got inf"),
        ({"network": None}, "network: .*got None"),
        ({"network": 3}, "network: .*got 3"),
    ],
)
def test_a_mistake_is_named_with_its_place(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        from_dict(ModelConfig, values, where="model.yaml")
    assert str(caught.value).startswith("model.yaml: ")
    assert "\n" not in str(caught.value)


def test_a_yaml_file_and_overrides(tmp_path: Path) -> None:
    path = save(tmp_path, "network:\n  backbone: vggm\n  width_divisor: 8\n")
    overrides = {"network.width_divisor": 4, "filter.contexts": 0}
    assert load_yaml(ModelConfig, path, overrides) == ModelConfig(
        NetworkConfig(backbone="vggm", width_divisor=4), FilterConfig(contexts=0)
    )


def test_a_misspelt_override_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown key 'network.dilat'; did you mean 'network.dilate'\?"):
        load_yaml(ModelConfig, save(tmp_path, "{}"), {"network.dilat": True})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network: [", "not YAML"),
        ("a: b: c", "not YAML.*line 1"),
        ("- 1\n- 2\n", "expected a mapping"),
        ("filter: {form: exact}\ntracking: {}\nfilter: {contexts: 4}\n", "filter is given twice, in lines 1 and 3"),
        ("filter:\n  form: exact\n  form: shared\n", "form is given twice, in lines 2 and 3"),
        ("filter: {form: exact, form: shared}", "form is given twice, in lines 1 and 1"),
        ("filter: !!map [a]", "not YAML.*expected a mapping"),
        ("", "expected a mapping"),
        ("network:\n  dilat: no\n", "did you mean 'network.dilate'"),
    ],
)
def test_a_wrong_file_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = save(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        load_yaml(ModelConfig, path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_yaml_merges_is_not_given_twice(tmp_path: Path) -> None:
    text = "z: &z {k: 0}\nx:\n  y: &a\n    <<: *z\n    k: 1\nb:\n  <<: *a\n  k: 2\n"
    assert read_mapping(save(tmp_path, text)) == {"z": {"k": 0}, "x": {"y": {"k": 1}}, "b": {"k": 2}}


def test_a_missing_file_a_folder_and_a_binary_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml: No such file"):
        load_yaml(ModelConfig, tmp_path / "nowhere.yaml")
    with pytest.raises(InputError, match="Is a directory"):
        load_yaml(ModelConfig, tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="not YAML"):
        load_yaml(ModelConfig, tmp_path / "b.yaml")


@pytest.mark.parametrize("override", ["network.backbone.depth", "network.levels.0"])
def test_an_override_below_a_value_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(InputError, match=r"network\."):
        load_yaml(ModelConfig, save(tmp_path, "network: {backbone: vggm, levels: [5]}"), {override: 1})


def test_a_model_keeps_what_a_setting_does_not_name() -> None:
    own = ModelConfig(tracking=TrackingConfig(scales=5, update_interval=3))
    changed = ModelConfig(tracking=TrackingConfig(scales=7, update_interval=3))
    assert change_model(own, {"tracking.scales": 7}) == changed


@pytest.mark.parametrize("section", ["network", "filter", "tracking"])
@pytest.mark.parametrize("value", [{}, {"update_interval": 5}, 5, None])
def test_a_whole_section_of_a_model_is_refused(section: str, value: object) -> None:
    with pytest.raises(InputError, match=f"settings: '{section}' is a section; .* by dotted names, {section}.NAME"):
        change_model(ModelConfig(), {section: value})


def test_the_padding_that_a_box_head_was_trained_with_stays() -> None:
    boxes = ModelConfig(tracking=TrackingConfig(scale_search="box"))
    with pytest.raises(InputError, match=r"settings: tracking\.padding: the box head was trained with 2; leave it"):
        change_model(boxes, {"tracking.padding": 3})
    for model, settings in ((ModelConfig(), {}), (boxes, {"tracking.scale_search": "pyramid"})):
        assert change_model(model, {"tracking.padding": 3, **settings}).tracking.padding == 3


def test_settings_are_yaml_by_dotted_name() -> None:
    found = parse_settings(["a.b=1", "c=[x, 2]", "d=null", "e=1.5", "f=a=b", "network.dilate=false"])
    assert found == {"a.b": 1, "c": ["x", 2], "d": None, "e": 1.5, "f": "a=b", "network.dilate": False}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("a=[", "not YAML"),
        ("a=2025-02-30", "not YAML: day"),
    ],
)
def test_a_setting_without_key_or_value_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_settings([text])


def test_nested_values_by_dotted_names() -> None:
    values = to_dict(ModelConfig())
    names = flat(values)
    assert names["filter.form"] == "exact"
    assert not any(isinstance(value, dict) for value in names.values())
    assert changed({}, names) == values
