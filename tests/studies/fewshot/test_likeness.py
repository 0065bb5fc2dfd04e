"""How alike the copies of a channel are: measured of the very weights that the pre-training's record tells of."""

from dataclasses import replace

import pytest
import torch

from bitdoc import data
from bitdoc.network import weights
from bitdoc.network.resnet import build
from bitdoc.records import runs
from bitdoc.studies.fewshot import likeness
from bitdoc.training import pretrain
from bitdoc.training.recipe import Upstream

PARENT = "BiT-T-R14x0.25"
GROWN = Upstream(model="R14x0.75", phases="16x0.5", batch=8, grown_from=PARENT, noise=0.5)


@pytest.fixture
def world(monkeypatch, tmp_path, tiny_imagenet):
    """A folder with the weights of a parent and of the network that was grown from it, three times as wide."""
    monkeypatch.setattr(data, "load", lambda name, split, datadir: replace(tiny_imagenet, split=split))
    torch.manual_seed(0)
    weights.save(build("R14x0.25", 4, zero_head=False), tmp_path / weights.model_file(PARENT))
    pretrain.pretrain(GROWN, None, tmp_path, directory=str(tmp_path))
    return tmp_path


def run(world, name=GROWN.tag):
    return likeness.main([name, "--workdir", str(world), "--bit_pretrained_dir", str(world)])


def test_copies_are_equal_at_birth_and_apart_by_the_noise_after(world, capsys):
    assert run(world) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("birth 1.000, noise 0.")
    (record,) = runs.load(likeness.EXPERIMENT)
    (trained,) = runs.load("pretrain")
    assert record.name == trained.name and record.setting["weights_sha256"] == trained.setting["weights_sha256"]
    # Independent noise of half a filter's spread: the cosine of two copies is 1 / (1 + 0.5²).
    assert record.result["birth"] == pytest.approx(1, abs=1e-4)
    assert record.result["noise"] == pytest.approx(0.8, abs=0.03)
    assert record.result["end"] != record.result["noise"]
    assert record.result["end"] == pytest.approx(record.result["noise"], abs=0.1), "a few steps at a low rate"


def test_other_weights_an_unknown_name_and_networks_without_copies_are_refused(world, capsys):
    weights.save(build("R14x0.75", 4), world / f"{GROWN.tag}.npz")
    assert run(world) == 2
    assert "others than" in capsys.readouterr().err
    assert run(world, "R14x1_1") == 2
    assert "no record of a pre-training named R14x1_1" in capsys.readouterr().err
    alone = replace(GROWN, grown_from="")
    pretrain.pretrain(alone, None, world)
    assert run(world, alone.tag) == 2
    assert "blocks that are no copies" in capsys.readouterr().err
    assert not runs.load(likeness.EXPERIMENT)
