"""Run records are written whole, read strictly, and only joined when they are comparable."""

import errno
import json
from dataclasses import replace

import pytest

from bitdoc.records import age, runs
from bitdoc.records.age import code_digest, code_version
from bitdoc.records.files import FileError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    return tmp_path


@pytest.fixture
def record():
    return runs.RunRecord(
        experiment="test",
        name="R14x0.25_1_0",
        model="R14x0.25",
        setting={"examples_per_class": 1, "seed": 0},
        result={"top1": 12.5},
        curve={"step": [1, 2], "loss": [2.3, 2.2]},
        cost={"seconds": 1.0},
        environment={"device": "CPU, 1 thread"},
        code=code_version(),
        date="2026-01-02T03:04:05+00:00",
    )


def test_round_trip(folder, record):
    path = runs.write(record)
    assert runs.read(path) == record
    assert runs.load("test") == [record]
    assert [p.name for p in path.parent.iterdir()] == ["R14x0.25_1_0.json"], "a temporary file was left behind"


def test_load_filters_by_field_and_setting(folder, record):
    runs.write(record)
    runs.write(replace(record, name="other", setting={"examples_per_class": 5, "seed": 0}))
    assert [r.name for r in runs.load("test", examples_per_class=5)] == ["other"]
    assert runs.load("test", model="R50x1") == []


@pytest.mark.parametrize("field", ["result", "model", "date"])
def test_a_missing_field_is_named_with_its_file(folder, record, field):
    path = runs.write(record)
    raw = json.loads(path.read_text())
    del raw[field]
    path.write_text(json.dumps(raw))
    with pytest.raises(runs.RecordError, match=rf"R14x0.25_1_0.json.*'{field}' is missing"):
        runs.load("test")


def test_wrong_type_unknown_field_and_damage_are_errors(folder, record):
    path = runs.write(record)
    raw = json.loads(path.read_text())
    path.write_text(json.dumps(raw | {"result": 3}))
    with pytest.raises(runs.RecordError, match="'result' is int, expected dict"):
        runs.read(path)
    path.write_text(json.dumps(raw | {"guess": 3}))
    with pytest.raises(runs.RecordError, match="unknown field 'guess'"):
        runs.read(path)
    path.write_text(path.read_text()[:40])
    with pytest.raises(runs.RecordError, match="not a readable run record"):
        runs.read(path)


def test_a_full_disk_leaves_the_old_record(folder, record, monkeypatch):
    path = runs.write(record)

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(runs.RecordError, match="could not be written.*disk is full"):
        runs.write(replace(record, result={"top1": 99.0}))
    assert runs.read(path) == record
    assert len(list(path.parent.iterdir())) == 1


def test_a_number_that_is_not_finite_is_refused(folder, record):
    with pytest.raises(ValueError, match="not JSON compliant"):
        runs.write(replace(record, result={"top1": float("nan")}))


def whole_record():
    """A few-shot record that makes sense, as a dictionary."""
    return {
        "experiment": "few-shot-cifar10",
        "name": "x",
        "model": "R14x0.25",
        "setting": {
            "method": "fine-tune",
            "examples_per_class": 1,
            "subset_seed": 0,
            "encoding": "made",
            "batch": 4,
            "base_lr": 0.01,
            "schedule": [1, 2],
            "precision": "float32",
            "weights_sha256": None,
        },
        "result": {"top1": 12.5, "top5": 50, "loss": 2.0},
        "curve": {"step": [1, 2], "loss": [2.3, 2.2]},
        "cost": {"seconds": 1.0, "images_per_second": None},
        "environment": {"device": "CPU"},
        "code": {"commit": None, "digest": "0"},
        "date": "2026-01-02T03:04:05+00:00",
    }


#: What makes no sense, a row a kind: the part, the key, and values that parse.
SENSELESS = {
    "an accuracy": ("result", "top1", [None, [50], 500, -3, "50", True, {}]),
    "a loss": ("result", "loss", [-1, "2", [2.0]]),
    "a number of examples": ("setting", "examples_per_class", [0, -1, 1.5, "1", True, None]),
    "a seed": ("setting", "subset_seed", ["0", 0.5, [0], None]),
    "a word": ("setting", "method", [None, 3, "", ["fine-tune"]]),
    "a rate": ("setting", "base_lr", [-0.1, "0.01", None, [0.01]]),
    "a batch": ("setting", "batch", [0, -4, 4.5, "4"]),
    "a schedule": ("setting", "schedule", [1, [0.5], None, ["a"], {}]),
    "a hash": ("setting", "weights_sha256", [0, [], True, ""]),
    "a curve": ("curve", "loss", [None, 2.3, ["a", "b"], [2.3], [None, 1.0]]),
    "a time": ("cost", "seconds", [-1, "1 s", None]),
    "a device": ("environment", "device", [None, 3, ["CPU"]]),
    "a code": ("code", "digest", [None, 0, ""]),
    "what is not finite, anywhere": ("setting", "unheard-of", [[1e999], {"a": -1e999}, 1e999]),
}


def test_the_record_that_is_spoiled_here_makes_sense(folder):
    path = folder / "few-shot-cifar10" / "x.json"
    path.parent.mkdir()
    path.write_text(json.dumps(whole_record()))
    assert runs.load("few-shot-cifar10")[0].result["top1"] == 12.5


@pytest.mark.parametrize("kind", SENSELESS)
def test_what_parses_but_makes_no_sense_is_named_by_file_and_field(folder, kind):
    part, key, values = SENSELESS[kind]
    path = folder / "few-shot-cifar10" / "x.json"
    path.parent.mkdir()
    for value in values:
        spoiled = whole_record()
        spoiled[part][key] = value
        path.write_text(json.dumps(spoiled).replace("Infinity", "1e999"))
        with pytest.raises(runs.RecordError, match=r"x\.json: ") as caught:
            runs.load("few-shot-cifar10")
        said = str(caught.value)
        assert (key in said or "not finite" in said or "differ in length" in said) and "\n" not in said
        with pytest.raises((runs.RecordError, ValueError)):  # nor is it written
            runs.write(runs.RunRecord(**spoiled))


@pytest.mark.parametrize(
    ("part", "key"),
    [("result", "top1"), ("setting", "method"), ("setting", "examples_per_class"), ("setting", "subset_seed")],
)
def test_what_readers_cannot_do_without_is_missed(folder, part, key):
    path = folder / "few-shot-cifar10" / "x.json"
    path.parent.mkdir()
    spoiled = whole_record()
    del spoiled[part][key]
    path.write_text(json.dumps(spoiled))
    with pytest.raises(runs.RecordError, match=f"x.json: {part}: '{key}' is missing"):
        runs.load("few-shot-cifar10")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"top1": NaN}',
        '{"top1": -Infinity}',
        "",
        "\x00",
        "[1, 2]",
        "3",
        '"text"',
        "{}",
    ],
    ids=range(10),
)
def test_what_is_no_record_is_one_line(folder, text):
    path = folder / "few-shot-cifar10" / "x.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(runs.RecordError, match="x.json"):
        runs.load("few-shot-cifar10")


@pytest.mark.parametrize(("field", "value"), [("name", "y"), ("name", "X"), ("experiment", "pretrain"), ("name", "")])
def test_a_record_stands_under_its_own_name(folder, field, value):
    path = folder / "few-shot-cifar10" / "x.json"
    path.parent.mkdir()
    path.write_text(json.dumps(whole_record() | {field: value}))
    for read in (lambda: runs.load("few-shot-cifar10"), lambda: runs.exists("few-shot-cifar10", "x")):
        with pytest.raises(runs.RecordError, match="not that of its own name|the field 'name' is empty"):
            read()


def test_an_installed_package_is_read_and_not_written_to(tmp_path, monkeypatch, record):
    shipped, own = tmp_path / "package", tmp_path / "home"
    monkeypatch.delenv("BITDOC_RESULTS", raising=False)
    monkeypatch.setattr(runs, "RESULTS", shipped)
    assert runs.folder() == shipped, "in a checkout"
    for name in ("both", "cached"):
        runs.write(replace(record, name=name))
    monkeypatch.setattr(runs, "_PROJECT", tmp_path / "nowhere")
    monkeypatch.setenv("BITDOC_HOME", str(own))
    runs.write(replace(record, name="both", result={"top1": 99}))
    runs.write(replace(record, name="own"))
    assert [r.name for r in runs.load("test")] == ["both", "cached", "own"]
    assert runs.load("test")[0].result["top1"] == 99, "a user's own record hides the cached one"
    assert runs.exists("test", "cached") and runs.path_of("test", "cached").is_relative_to(shipped)
    assert sorted(path.name for path in (shipped / "test").iterdir()) == ["both.json", "cached.json"]
    assert sorted(path.name for path in (own / "results" / "test").iterdir()) == ["both.json", "own.json"]


def test_a_tilde_in_the_results_folder_means_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BITDOC_RESULTS", "~/mine")
    assert runs.folder() == tmp_path / "mine"


@pytest.mark.parametrize("name", ["..", ".", "...", "a/b", "a b", "a\n", "", "a:b", "x" * 300])
def test_what_cannot_name_a_file_names_no_run(name):
    with pytest.raises(runs.RecordError, match="cannot name a run|too many for a file"):
        runs.checked_name(name)


def test_names_cannot_leave_the_folder(folder):
    with pytest.raises(runs.RecordError, match="cannot name a run"):
        runs.path_of("test", "../outside")


def test_runs_that_differ_are_not_joined(record):
    other = replace(record, name="other", setting=record.setting | {"seed": 1})
    with pytest.raises(runs.RecordError, match="cannot stand on one line: seed is 0 and 1"):
        runs.require_same([record, other], "model", "seed")
    runs.require_same([record, other], "model", "examples_per_class")


def test_provenance_tells_old_code(record):
    old = replace(record, code={"commit": None, "digest": "0"})
    assert runs.provenance([record]) == "1 run on CPU, 1 thread, 2026-01-02, by the present code."
    assert "1 by older code" in runs.provenance([record, old])
    assert runs.provenance([]) == "No runs yet."


def test_cached_records_are_whole_and_name_their_files():
    """Every record that ships can be read, sits under its own name, and says what made it."""
    files = sorted(runs.RESULTS.glob("*/*.json"))
    for path in files:
        record = runs.read(path)
        assert path == runs.RESULTS / record.experiment / f"{record.name}.json"
        assert record.code.get("digest") and record.date and record.environment.get("device"), path


def test_without_git_a_run_is_recorded_without_a_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(age, "_commit", age._commit.__wrapped__)  # not the one that was looked up before
    assert code_version() == {"commit": None, "digest": code_digest()}


def test_a_record_with_a_place_of_its_own_needs_no_folder_of_records(record, monkeypatch, tmp_path):
    def nowhere():
        raise FileError("there is no home")

    monkeypatch.setattr(runs, "folder", nowhere)
    assert runs.read(runs.write(record, tmp_path / f"{record.name}.json")) == record
    with pytest.raises(FileError, match="there is no home"):
        runs.write(record)
