"""The runs without transfer, five times as long: the same subsets and settings, and records of their own."""

from dataclasses import replace

import pytest
import torch

from bitdoc import data
from bitdoc.records import runs
from bitdoc.studies.fewshot import longer, make_runs, which_runs
from bitdoc.training import recipe


@pytest.fixture
def few_pictures(monkeypatch, tmp_path):
    """Two hundred stand-in pictures in ten classes, a small network, and runs of five steps."""
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    pixels = torch.randint(0, 256, (200, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images = data.Images("cifar10", "train", "made", data.CIFAR10_CLASSES, torch.arange(200) % 10, pixels)
    monkeypatch.setattr(make_runs, "cifar10", lambda datadir, split: replace(images, split=split))
    monkeypatch.setattr(longer, "MODEL", "R14x0.125")
    monkeypatch.setattr(longer.hyperrule, "get_schedule", lambda examples: (1, 2, 3, 4, 5))
    monkeypatch.setattr(which_runs, "SEEDS", (0,))
    make_runs.resized_test.cache_clear()
    yield
    make_runs.resized_test.cache_clear()


def test_a_run_differs_from_the_usual_one_in_its_length_alone(few_pictures, capsys):
    assert longer.main([]) == 0
    record = next(r for r in runs.load(longer.EXPERIMENT) if r.setting["subset_seed"] == 0)
    usual = recipe.miniature(100, **recipe.FROM_SCRATCH).plain()
    differs = {key for key in usual if record.setting[key] != usual[key]}
    assert differs == {"schedule"} and record.setting["schedule"][-1] == 5
    assert (record.setting["test_split"], record.setting["train_images"]) == ("test", 100)
    capsys.readouterr()
    assert longer.main([]) == 0
    assert "%" not in capsys.readouterr().out


def test_no_transfer_is_fitted_in_five_times_the_steps():
    found = runs.load(longer.EXPERIMENT)
    assert sorted(r.setting["subset_seed"] for r in found) == list(which_runs.SEEDS)
    assert {r.setting["schedule"][-1] for r in found} == {500}
    assert max(r.curve["loss"][-1] for r in found) < 0.1
