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
from bitdoc.training.loop import Score
from bitdoc.training.recipe import Growth, Upstream, growth
from bitdoc.training.upstream import Wanted

PARENT = "BiT-T-R14x0.25"
SMALL = Upstream(model="R14x0.5", phases="16x0.5", batch=8, grown_from=PARENT)


@pytest.fixture
def world(monkeypatch, tmp_path, tiny_imagenet):
    """A folder with the weights of a parent whose answers are not all alike."""
    monkeypatch.setattr(data, "load", lambda name, split, datadir: replace(tiny_imagenet, split=split))
    torch.manual_seed(0)
    weights.save(build("R14x0.25", 4, zero_head=False), tmp_path / weights.model_file(PARENT))
    return tmp_path


def other_weights(world):
    torch.manual_seed(1)
    weights.save(build("R14x0.25", 4, zero_head=False), world / weights.model_file(PARENT))


def stages():
    return {record.setting["stage"]: record for record in runs.load(grow.EXPERIMENT)}


def test_stages_are_recorded_and_the_network_is_trained_on(world):
    _, score = pretrain.pretrain(SMALL, None, world / "work", directory=str(world))
    found = stages()
    assert set(found) == set(grow.STAGES) and found["parent"].model == "R14x0.25" and found["birth"].model == "R14x0.5"
    losses = {stage: record.result["loss"] for stage, record in found.items()}
    assert losses["birth"] == pytest.approx(losses["parent"], rel=1e-5), "widening keeps the function"
    assert losses["noise"] != pytest.approx(losses["birth"], rel=1e-5)
    (trained,) = runs.load("pretrain")
    assert trained.setting["grown_from"] == PARENT and "grown_from=BiT-T-R14x0.25" in trained.name
    assert trained.result["loss"] == score.loss != losses["noise"]
    file = weights.sha256(world / weights.model_file(PARENT))
    assert {record.setting["parent_weights_sha256"] for record in found.values()} == {file}

    def judged(*args):
        raise AssertionError("a stage that has a record is not judged again")

    again = grow.grown(SMALL, 4, str(world), judged, Engine())
    assert again.arch.name == "R14x0.5" and again.training


def test_the_noise_is_what_tells_the_copies_apart(world):
    judge = lambda model: pretrain.evaluate(model, iter([(torch.zeros(2, 3, 16, 16), torch.zeros(2).long())]))  # noqa: E731
    exact = grow.grown(replace(SMALL, noise=0.0), 4, str(world), judge, Engine())
    noisy = grow.grown(SMALL, 4, str(world), judge, Engine())
    # Twice as wide is twice as many groups here: the copies are laid down one set after the other.
    pairs = [model.root.conv.weight.unflatten(0, (2, -1)) for model in (exact, noisy)]
    assert torch.equal(*pairs[0])
    assert not torch.equal(*pairs[1])


#: What a parent cannot become, a row a kind, and why.
IMPOSSIBLE = {
    "part of a factor": ("BiT-T-R14x1", ["R14x1.5", "R14x2.5", "R50x1.5"], "it must be a whole number"),
    "narrower": ("BiT-T-R14x1", ["R14x0.5", "R26x0.25", "R50x0.125"], "it must be a whole number"),
    "flatter": ("BiT-T-R50x1", ["R26x1", "R14x3", "R26x2"], "deepen cannot make"),
    "groups that copies cannot fill": ("BiT-T-R26x0.5", ["R26x1.5", "R50x1.5", "R50x2.5"], "cannot fill 2 sets"),
}


def test_a_network_of_the_same_size_is_trained_on(world):
    same = replace(SMALL, model="R14x0.25", noise=0.0)
    begins = grow.grown(same, 4, str(world), lambda model: Score(0.0, 0.0, 0.0, torch.zeros(1)), Engine())
    parent = weights.load(PARENT, directory=str(world))
    assert all(torch.equal(a, b) for a, b in zip(begins.parameters(), parent.parameters(), strict=True))
    with pytest.raises(TrainingError, match="BiT-T-R14x0.25 is as large as BiT-T-R14x0.25 already: leave out --grow_"):
        Wanted(PARENT, grow_from=PARENT)


@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_what_the_parent_cannot_become_is_refused_before_anything_is_read(kind):
    parent, models, why = IMPOSSIBLE[kind]
    for model in models:
        with pytest.raises(TrainingError, match=f"{model} cannot be grown from {parent} .*{why}"):
            Upstream(model=model, grown_from=parent)
        with pytest.raises(TrainingError, match=why):
            Wanted(f"BiT-T-{model}", grow_from=parent)


def test_the_ladder_of_the_miniature_has_three_rungs():
    """R26x0.5, which ships, grows deeper and wider, and then three times as wide."""
    assert growth("R50x1", "BiT-T-R26x0.5") == Growth(2, 50)
    assert growth("R50x3", "BiT-T-R50x1") == Growth(3, None)
    assert growth("R50x3", "BiT-T-R26x0.5") == Growth(6, 50)
    assert growth("R101x1", "BiT-T-R50x1") == Growth(1, 101)


@pytest.mark.parametrize("model", ["R26x0.25", "R26x0.5"])
def test_a_deeper_network_is_born_with_its_parents_answers(world, model):
    pretrain.pretrain(replace(SMALL, model=model), None, world / "work", directory=str(world))
    found = stages()
    losses = {stage: record.result["loss"] for stage, record in found.items()}
    assert found["birth"].model == model and losses["birth"] == pytest.approx(losses["parent"], rel=1e-5)
    (trained,) = runs.load("pretrain")
    assert trained.result["loss"] != losses["noise"] != pytest.approx(losses["birth"], rel=1e-5)


@pytest.mark.parametrize("other", [{"norm_kind": "batch"}, {"norm_kind": "none"}, {"standardized": False}])
def test_a_grown_network_has_the_norms_of_its_parent(other):
    with pytest.raises(TrainingError, match="has its parent's group norm and weight standardization"):
        replace(SMALL, **other)


def test_a_record_of_other_weights_is_refused_before_anything_is_read(world, monkeypatch):
    pretrain.pretrain(SMALL, None, world / "work", directory=str(world))
    other_weights(world)

    def read(*_):
        raise AssertionError("data were read")

    monkeypatch.setattr(data, "load", read)
    for experiment, name in (("pretrain", SMALL.tag), *((grow.EXPERIMENT, f"{SMALL.tag}_{s}") for s in grow.STAGES)):
        with pytest.raises(TrainingError, match="the weights it grew from is .* there and .* here; move the record"):
            pretrain.pretrain(SMALL, None, world / "work", directory=str(world))
        runs.path_of(experiment, name).unlink()
    with pytest.raises(AssertionError, match="data were read"):
        pretrain.pretrain(SMALL, None, world / "work", directory=str(world))


def test_a_record_that_came_with_the_package_is_in_nobodys_way(world, monkeypatch):
    """An installed package has its own records; a user's run of other weights is made, and its record hides theirs."""
    monkeypatch.setattr(runs, "RESULTS", world / "results")
    pretrain.pretrain(SMALL, None, world / "work", directory=str(world))
    other_weights(world)
    for name in ("BITDOC_RESULTS", "BITDOC_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BITDOC_HOME", str(world / "home"))
    monkeypatch.setattr(runs, "_PROJECT", world / "no checkout")
    pretrain.pretrain(SMALL, None, world / "again", directory=str(world))
    hashed = weights.sha256(world / weights.model_file(PARENT))
    assert {record.setting["parent_weights_sha256"] for record in stages().values()} == {hashed}
    assert len(list((world / "home" / "results" / grow.EXPERIMENT).iterdir())) == len(grow.STAGES)


def test_a_parent_with_other_classes_is_refused(world):
    with pytest.raises(TrainingError, match="was trained on 4 classes and tiny-imagenet has 200"):
        grow.grown(SMALL, 200, str(world), None, Engine())


def test_a_parent_without_weights_is_pre_trained_first(world, monkeypatch, capsys):
    monkeypatch.setattr(upstream, "PARENT", replace(SMALL, grown_from=""))
    monkeypatch.setattr(upstream, "GROWTH", replace(SMALL, phases="16x0.25"))
    (world / weights.model_file(PARENT)).unlink()
    upstream.provide(Wanted("BiT-T-R14x0.5", grow_from=PARENT), Engine())
    said = capsys.readouterr().out
    assert "no weights of BiT-T-R14x0.25: pre-training R14x0.25 on tiny-imagenet, 16x0.5\n" in said
    assert (
        "no weights of BiT-T-R14x0.5: pre-training R14x0.5 on tiny-imagenet, 16x0.25, grown from BiT-T-R14x0.25\n"
        in said
    )
    assert weights.load("BiT-T-R14x0.5").arch.name == "R14x0.5" and set(stages()) == set(grow.STAGES)
    upstream.provide(Wanted("BiT-T-R14x0.5", grow_from=PARENT), Engine())
    assert capsys.readouterr().out == ""


def test_only_a_miniature_grows(world):
    with pytest.raises(TrainingError, match="only a BiT-T network can be grown here, and BiT-M-R50x3 is none"):
        Wanted("BiT-M-R50x3", grow_from=PARENT)
