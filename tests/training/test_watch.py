"""Looks during a training: the best is kept, the end comes when nothing is gained, a stopped run sees the same."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bitdoc import data
from bitdoc.training import finetune, session
from bitdoc.training.engine import TrainingError
from bitdoc.training.loop import Score
from bitdoc.training.watch import Watch


def seen(watch, losses, right=(), every=1):
    """Looks at a network whose one weight is the number of the look, and which names so many of 100 pictures right."""
    model = nn.Linear(1, 1, bias=False)
    for number, loss in enumerate(losses, 1):
        nn.init.constant_(model.weight, number)
        hits = torch.arange(100) < (right[number - 1] if right else 50)
        logits = torch.stack([hits, ~hits], 1).float()
        watch.look(number * every, Score(hits.sum().item(), 100.0, loss, logits), model, torch.zeros(100, dtype=int))
    return model


def test_an_earlier_network_that_is_better_beyond_luck_is_put_back():
    watch = Watch(10, patience=3)
    model = seen(watch, [2.0, 1.0, 1.5, 1.2], [50, 66, 61, 60], every=10)
    watch.put_back(model)
    assert model.weight.item() == 2 and watch.looks["step"][watch.kept] == 20
    assert (watch.result()["top1"], watch.result()["loss"]) == (66, 1.0)


@pytest.mark.parametrize("right", [[50, 65, 61, 60], [70, 60, 60, 70], [10, 20, 30, 40]])
def test_the_last_network_is_kept_where_no_other_is_better_beyond_luck(right):
    watch = Watch(10, patience=3)
    model = seen(watch, [2.0, 1.0, 1.5, 1.2], right)
    watch.put_back(model)
    assert model.weight.item() == 4 and watch.result()["top1"] == right[-1]


def test_without_patience_the_last_is_kept_and_nothing_ends_it():
    watch = Watch(10)
    model = seen(watch, [1.0, *[2.0] * 20], [90] + [10] * 20)
    watch.put_back(model)
    assert model.weight.item() == 21 and not watch.is_over and watch.best is None


@pytest.mark.parametrize(
    ("losses", "over"),
    [
        ([], False),
        ([2.0, 1.0, 1.0, 1.0], False),
        ([2.0, 1.0, 1.0, 1.0, 1.0], True),
        ([2.0, 1.0, 0.999, 0.998, 0.997], True),  # creeping is no gain
        ([2.0, 1.0, 1.1, 1.1, 0.5], False),
    ],
)
def test_so_many_looks_without_a_gain_end_it(losses, over):
    watch = Watch(1, patience=3)
    seen(watch, losses)
    assert watch.is_over is over


def test_more_right_answers_are_a_gain_though_the_loss_rises():
    watch = Watch(1, patience=3)
    seen(watch, [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], [50, 51, 51, 51, 52, 52])
    assert not watch.is_over
    seen(watch, [1.5, 1.5], [52, 52])
    assert watch.is_over


def test_a_warm_up_in_which_nothing_is_gained_does_not_end_it():
    for count in (4, 5):
        watch = Watch(1, patience=3, first=2)
        seen(watch, [1.0] * count)
        assert watch.is_over is (count == 5)


def test_a_look_is_due_once():
    watch = Watch(5)
    assert [step for step in range(12) if watch.is_due(step)] == [5, 10]
    seen(watch, [1.0], every=5)
    assert not watch.is_due(5) and watch.is_due(10)


def test_a_loss_that_is_none_is_an_error():
    with pytest.raises(TrainingError, match="at step 1; try a lower"):
        seen(Watch(1), [math.nan])


@pytest.fixture
def task():
    """Two classes that differ in brightness, looked at with labels that are wrong: each step makes it worse."""
    pixels = torch.cat([torch.full((6, 3, 8, 8), 60), torch.full((6, 3, 8, 8), 200)]).byte()
    images = data.Images("test", "train", "made", ("dark", "bright"), torch.arange(12) // 6, pixels)
    wrong = data.Images("test", "val", "made", ("dark", "bright"), 1 - torch.arange(12) // 6, pixels)
    return finetune.Task(images, images, {}, ready=wrong)


RECIPE = finetune.Recipe(16, 16, (2, 20, 24, 28, 30), batch=12, base_lr=0.05)


def trained(task, watch, **more):
    job = finetune.Job.prepare("R14x0.25", task, RECIPE, chosen=finetune.chosen(task, RECIPE))
    return finetune.carry_out(job, "test", "x", progress=False, watch=watch, **more)


def test_a_training_ends_early_and_keeps_its_best_step(task):
    watch, steps = Watch(1, patience=2), []
    model, record = trained(task, watch, on_step=lambda step, lr, loss: steps.append(step))
    assert steps[-1] + 1 == watch.last == 3 and watch.looks["step"] == [1, 2, 3]
    assert watch.kept == 0 and watch.looks["top1"] == [50.0, 0.0, 0.0]
    assert record.result["loss"] == round(watch.looks["loss"][0], 5)
    score = finetune.evaluate(model, finetune.test_batches(task.scored, 16, torch.device("cpu")))
    assert score.loss == pytest.approx(watch.looks["loss"][0], rel=1e-5), (
        "the weights are those of the step that is kept"
    )


# Between a step and the look after it; between two looks; where the first look is kept, and where the last is.
@pytest.mark.parametrize(("every", "killed"), [(1, 1), (1, 2), (3, 3), (3, 4), (3, 9)])
def test_a_stopped_run_has_all_of_its_looks(task, tmp_path, monkeypatch, every, killed):
    whole = Watch(every, patience=2)
    expected, _ = trained(task, whole)

    class Killed(Exception):
        pass

    call = session.Session.__call__

    def kill(self, step, lr, loss):
        call(self, step, lr, loss)
        if step + 1 == killed:
            self.save(step + 1)
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(session.Session, "__call__", kill)
        with pytest.raises(Killed):
            trained(task, Watch(every, patience=2), checkpoint=tmp_path / "x.pt")
    watch = Watch(every, patience=2)
    model, _ = trained(task, watch, checkpoint=tmp_path / "x.pt")
    assert watch.looks == whole.looks and (watch.kept == 0) == (every == 1)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), expected.parameters(), strict=True))
    again = Watch(every, patience=2)
    trained(
        task, again, checkpoint=tmp_path / "x.pt", on_step=lambda *_: pytest.fail("it was trained to its end before")
    )
    assert again.looks == whole.looks
