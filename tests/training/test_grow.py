"""A pre-training that begins with a smaller network: every stage is recorded once, and what cannot grow is refused."""

from dataclasses import replace

import pytest
import torch

from bitdoc import data
from bitdoc.network import weights
from bitdoc.network.resnet import build
from bitdoc.records import runs
from bitdoc.training import grow, pretrain, upstream
from bitdoc.training.engine import Engine, TrainingError
from bitdoc.training.recipe import Upstream

PARENT = "BiT-T-R14x1"
SMALL = Upstream(model="R14x2", phases="16x0.5", batch=8, grown_from=PARENT)


@pytest.fixture
def world(monkeypatch, tmp_path, tiny_imagenet):
    """A folder with the weights of a parent whose answers are not all alike."""
    monkeypatch.setattr(data, "load", lambda name, split, datadir: replace(tiny_imagenet, split=split))
    torch.manual_seed(0)
    weights.save(build("R14x1", 4, zero_head=False), tmp_path / weights.model_file(PARENT))
    return tmp_path


def stages():
    return {record.setting["stage"]: record for record in runs.load(grow.EXPERIMENT)}


def test_stages_are_recorded_and_the_network_is_trained_on(world):
    _, score = pretrain.pretrain(SMALL, None, world / "work", directory=str(world))
    found = stages()
    assert set(found) == set(grow.STAGES) and found["parent"].model == "R14x1" and found["birth"].model == "R14x2"
    losses = {stage: record.result["loss"] for stage, record in found.items()}
    assert losses["birth"] == pytest.approx(losses["parent"], rel=1e-5), "widening keeps the function"
    assert losses["noise"] != pytest.approx(losses["birth"], rel=1e-5)
    (trained,) = runs.load("pretrain")
    assert trained.setting["grown_from"] == PARENT and "grown_from=BiT-T-R14x1" in trained.name
    assert trained.result["loss"] == score.loss != losses["noise"]
    file = weights.sha256(world / weights.model_file(PARENT))
    assert {record.setting["parent_weights_sha256"] for record in found.values()} == {file}

    def judged(*args):
        raise AssertionError("a stage that has a record is not judged again")

    again = grow.grown(SMALL, 4, str(world), judged, Engine())
    assert again.arch.name == "R14x2" and again.training


def test_the_noise_is_what_tells_the_copies_apart(world):
    judge = lambda model: pretrain.evaluate(model, iter([(torch.zeros(2, 3, 16, 16), torch.zeros(2).long())]))  # noqa: E731
    exact = grow.grown(replace(SMALL, noise=0.0), 4, str(world), judge, Engine())
    noisy = grow.grown(SMALL, 4, str(world), judge, Engine())
    pairs = [model.root.conv.weight.unflatten(0, (-1, 2)) for model in (exact, noisy)]
    assert torch.equal(pairs[0][:, 0], pairs[0][:, 1])
    assert not torch.equal(pairs[1][:, 0], pairs[1][:, 1])


@pytest.mark.parametrize("model", ["R26x2", "R14x1", "R14x1.5"])
def test_what_the_parent_cannot_become_is_refused(world, model):
    with pytest.raises(TrainingError, match=f"{model} cannot be grown from {PARENT}: choose a network of the same"):
        grow.grown(replace(SMALL, model=model), 4, str(world), None, Engine())
    assert not stages()


def test_a_parent_with_other_classes_is_refused(world):
    with pytest.raises(TrainingError, match="was trained on 4 classes and tiny-imagenet has 200"):
        grow.grown(SMALL, 200, str(world), None, Engine())


def test_a_parent_without_weights_is_pre_trained_first(world, monkeypatch, capsys):
    monkeypatch.setattr(upstream, "PARENT", replace(SMALL, grown_from=""))
    monkeypatch.setattr(upstream, "GROWTH", replace(SMALL, phases="16x0.25"))
    (world / weights.model_file(PARENT)).unlink()
    upstream.provide("BiT-T-R14x2", None, None, None, Engine(), PARENT)
    said = capsys.readouterr().out
    assert "no weights of BiT-T-R14x1: pre-training R14x1 on tiny-imagenet, 16x0.5\n" in said
    assert "no weights of BiT-T-R14x2: pre-training R14x2 on tiny-imagenet, 16x0.25, grown from BiT-T-R14x1\n" in said
    assert weights.load("BiT-T-R14x2").arch.name == "R14x2" and set(stages()) == set(grow.STAGES)
    upstream.provide("BiT-T-R14x2", None, None, None, Engine(), PARENT)
    assert capsys.readouterr().out == ""


def test_only_a_miniature_grows(world):
    with pytest.raises(TrainingError, match="only a BiT-T network can be grown here, and BiT-M-R50x3 is none"):
        upstream.provide("BiT-M-R50x3", None, None, None, Engine(), PARENT)
