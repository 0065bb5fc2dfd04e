"""Run records are written whole, read strictly, and only joined when they are comparable."""

import errno
import json
from dataclasses import replace

import pytest

from bitdoc.records import runs
from bitdoc.records.code import code_digest, code_version


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
    assert code_version() == {"commit": None, "digest": code_digest()}
