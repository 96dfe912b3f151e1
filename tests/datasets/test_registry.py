"""Where a data set is looked for, and what is said when it is not there."""

from __future__ import annotations

import pickle

import pytest

from rartrack.datasets import BENCHMARKS, load_dataset, registry
from rartrack.errors import InputError


@pytest.fixture
def otb(tree):
    """A place that holds one OTB sequence under the benchmark's folder."""
    tree.boxes("place/OTB100/Deer/groundtruth_rect.txt", 71)
    return tree.root / "place"


def _user_file(content):
    path = registry.user_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.mark.parametrize("inside", ["", "OTB100"])
def test_the_argument_is_the_data_set_or_holds_it(otb, inside):
    assert load_dataset("otb2015", otb / inside, ["Deer"]).names == ("Deer",)


def test_the_environment_variable(otb, monkeypatch):
    monkeypatch.setenv(registry.VARIABLE, str(otb))
    assert load_dataset("otb2015").root == otb / "OTB100"


def test_the_users_file_follows_xdg(otb):
    path = _user_file(f"OTB-2015: {otb / 'OTB100'}\nmine: {otb / 'OTB100'}\n")
    assert path.parent.name == "rartrack"
    assert load_dataset("otb2015").root == otb / "OTB100"
    assert load_dataset("mine").names == ("Deer",)


def test_the_argument_wins_over_the_variable_and_the_variable_over_the_file(tree, otb, monkeypatch):
    for name in ("variable", "file"):
        tree.boxes(f"{name}/OTB100/Deer/groundtruth_rect.txt", 71)
    monkeypatch.setenv(registry.VARIABLE, str(tree.root / "variable"))
    _user_file(f"otb2015: {tree.root / 'file' / 'OTB100'}\n")
    assert load_dataset("otb2015", otb).root.parent == otb
    assert load_dataset("otb2015").root.parent == tree.root / "variable"


@pytest.mark.parametrize("spelling", ["otb2015", "OTB-2015", "otb_100", "TB-100"])
def test_benchmarks_in_any_spelling(otb, spelling):
    assert load_dataset(spelling, otb).name == "otb2015"


def test_a_folder_inside_the_place(otb, monkeypatch):
    monkeypatch.setenv(registry.VARIABLE, str(otb))
    assert load_dataset("OTB100/").names == ("Deer",)
    assert load_dataset("OTB100/", otb).names == ("Deer",)


def test_nothing_found_says_what_and_where_and_how_to_mend(tree):
    with pytest.raises(InputError) as caught:
        load_dataset("vot2018", tree.root)
    message = str(caught.value)
    for part in ("VOT2018 not found", "NAME/groundtruth.txt", str(tree.root), "--data", registry.VARIABLE, "data.yaml"):
        assert part in message
    assert "\n" not in message


def test_no_place_at_all():
    with pytest.raises(InputError, match="no place is known"):
        load_dataset("vot2018")


def test_a_place_that_is_not_there(tree):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        load_dataset("otb2015", tree.root / "nowhere")


def test_a_folder_here_of_a_benchmarks_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "otb2015").mkdir()
    with pytest.raises(InputError, match=r"OTB-2015 not found.*; for the folder here write \./otb2015$"):
        load_dataset("otb2015")


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(InputError, match=r"otb2014: neither a folder .* nor a benchmark; did you mean 'otb20"):
        load_dataset("otb2014")


def test_a_folder_that_may_lie_elsewhere_is_told_the_variable(tree):
    with pytest.raises(InputError, match=r"nor a benchmark; set RARTRACK_DATA to the folder that holds it; bench"):
        load_dataset("train")
    with pytest.raises(InputError, match="nor a benchmark; bench"):
        load_dataset(tree.root / "train")


def test_a_folder_of_no_layout(tree):
    tree.text("notes.md", "")
    with pytest.raises(InputError, match=r"no known layout; looked for .*OTB: NAME/groundtruth_rect.txt"):
        load_dataset(tree.root)


def test_a_folder_needs_no_place(tree, otb):
    with pytest.raises(InputError, match="a folder already"):
        load_dataset(otb / "OTB100", tree.root)


@pytest.mark.parametrize("content", ["- a\n", "otb2015: [1]\n", "a: b: c\n"])
def test_a_users_file_of_another_kind(content):
    path = _user_file(content)
    with pytest.raises(InputError, match=f"{path.name}: (not YAML|expected lines)"):
        load_dataset("otb2015")


def test_an_unknown_sequence_is_told_the_nearest(otb):
    with pytest.raises(InputError, match=r"no sequence 'Dear' in .*; did you mean 'Deer'\?"):
        load_dataset("otb2015", otb, ["Dear"])


def test_sequences_travel_to_worker_processes(tree):
    tree.images("a", ["1.png", "2.png"])
    tree.boxes("a.txt", 2)
    sequence = pickle.loads(pickle.dumps(load_dataset(tree.root)[0]))
    assert sequence.frames[1][0, 0, 0] == 1


def test_every_benchmark_is_found_by_its_own_name():
    for name in BENCHMARKS:
        with pytest.raises(InputError, match="not found"):
            load_dataset(name)
