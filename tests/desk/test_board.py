"""Logs for TensorBoard: written where it is installed, silently left out where it is not."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from bitdoc.desk import board
from bitdoc.training.loop import Score


def tell(folder, steps):
    with board.Board(folder) as log:
        for step in steps:
            log.step(step, 0.1, 2.0 - step)
        log.look(steps[-1] + 1, Score(75.0, 100.0, 0.5, torch.empty(0)))


@pytest.mark.parametrize("error", [ImportError, TypeError])  # not there, and there beside packages it cannot stand
def test_without_tensorboard_nothing_is_written(tmp_path, monkeypatch, error):
    def refuse(name, *_):
        if name == "torch.utils.tensorboard":
            raise error(name)
        return None

    finder = types.SimpleNamespace(find_spec=refuse)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    assert board.writer() is None
    tell(tmp_path / "log", range(3))
    assert not (tmp_path / "log").exists()


def test_what_is_written_is_read_by_tensorboard(tmp_path):
    tell(tmp_path / "log", range(3))
    tell(tmp_path / "log", range(1, 4))  # stopped after three steps, and gone on with from the first
    board.anonymous(tmp_path)
    names = [file.name for file in (tmp_path / "log").iterdir()]
    assert sorted(names) == [f"events.out.tfevents.{n:010d}.bitdoc" for n in (0, 1)]
    found = EventAccumulator(str(tmp_path / "log"))
    found.Reload()
    losses = [(one.step, one.value) for one in found.Scalars("loss/training")]
    assert losses == [(1, 2.0), (2, 1.0), (3, 0.0), (4, -1.0)]
    assert [(one.step, one.value) for one in found.Scalars("loss/validation")] == [(4, 0.5)]


class Recorder:
    """What a ``SummaryWriter`` is told."""

    made: list = []

    def __init__(self, folder, purge_step):
        self.purge_step, self.told, self.is_closed = purge_step, [], False
        self.made.append(self)

    def add_scalar(self, name, value, step):
        self.told.append((name, value, step))

    def flush(self):
        self.told.append("flushed")

    def close(self):
        self.is_closed = True


def test_a_training_that_goes_on_overrules_what_was_logged_after_its_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(board, "writer", lambda: Recorder)
    monkeypatch.setattr(Recorder, "made", [])
    tell(tmp_path, range(4, 6))
    (one,) = Recorder.made
    assert one.purge_step == 5 and one.is_closed
    assert ("loss/training", -2.0, 5) in one.told and ("loss/validation", 0.5, 6) in one.told
    assert one.told[-1] == "flushed", "before the checkpoint"


def test_a_training_that_is_stopped_closes_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(board, "writer", lambda: Recorder)
    monkeypatch.setattr(Recorder, "made", [])

    def stopped():
        with board.Board(tmp_path) as log:
            log.step(0, 0.1, 1.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert Recorder.made[0].is_closed
