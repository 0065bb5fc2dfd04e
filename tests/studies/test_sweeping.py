"""Sweeps make what is missing, in parts, and say in one line what is wrong."""

from __future__ import annotations

import pytest

from bitdoc.records import runs
from bitdoc.studies import sweeping
from bitdoc.studies.mixup.half_moons import Run
from bitdoc.training.engine import TrainingError

TODO = [Run(alpha, 0.2, 0) for alpha in (0.0, 0.1, 1.0)]


@pytest.fixture
def made(monkeypatch, tmp_path) -> list[Run]:
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    return []


def maker(made: list[Run]):
    def make(run: Run) -> runs.RunRecord:
        made.append(run)
        setting = {"mixup": run.alpha, "flipped_labels": run.flipped}
        return runs.RunRecord(run.experiment, run.name, "2-64-64-2", setting, {"top1": 50.0, "train": 100.0})

    return make


def test_a_sweep_makes_only_what_is_missing(made):
    sweeping.sweep(TODO[:1], maker(made))
    sweeping.sweep(TODO, maker(made))
    assert made == TODO


def test_a_command_makes_its_part(made):
    assert sweeping.command(TODO, maker(made), "2/2") == 0
    assert made == TODO[1:2]


def test_a_wrong_part_is_one_clear_line(made, capsys):
    assert sweeping.command(TODO, maker(made), "3/2") == 1
    assert "cannot read --only '3/2'" in capsys.readouterr().err
    assert not made


@pytest.mark.parametrize(("error", "status"), [(TrainingError("the loss is nan"), 1), (KeyboardInterrupt(), 130)])
def test_what_stops_a_sweep_is_one_line(made, capsys, error, status):
    def make(run):
        raise error

    assert sweeping.command(TODO, make) == status
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith(("error: the loss is nan", "stopped; the same"))
