"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable

# The tests compare networks and scores with what the CPU computes, bit by bit where they say so: also where there is a
# graphics card, which is hidden from them unless this variable names it. Read before PyTorch looks for one.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import budget
import pytest
import torch
from hypothesis import register_random, settings

from bitdoc import data
from bitdoc.network.resnet import ResNetV2, build

pytest_runtest_call = budget.pytest_runtest_call

# Property tests build small networks; how long one example takes says nothing about whether it is right.
settings.register_profile("bitdoc", deadline=None, max_examples=25)
settings.load_profile("bitdoc")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the pictures of the figures be drawn anew, and let no test take long that is not marked slow."""
    parser.addoption("--regenerate-images", action="store_true", help="draw tests/images anew")
    budget.pytest_addoption(parser)


class TorchRandom:
    """PyTorch's global random numbers, as Hypothesis handles them: the same for every run of an example."""

    seed = staticmethod(torch.manual_seed)
    getstate = staticmethod(torch.get_rng_state)
    setstate = staticmethod(torch.set_rng_state)


TORCH_RANDOM = TorchRandom()  # Hypothesis keeps a weak reference only
register_random(TORCH_RANDOM)


@pytest.fixture
def tiny_imagenet(monkeypatch, tmp_path) -> data.Images:
    """A stand-in of 32 images in four classes, with folders of its own for results and cache."""
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
    pixels = torch.randint(0, 256, (32, 3, 24, 24), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return data.Images("tiny", "train", "made", tuple("abcd"), torch.arange(32) % 4, pixels)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Start every test from the same random numbers."""
    torch.manual_seed(0)


def _randomize(model: ResNetV2) -> ResNetV2:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.normal_(1.0 if name.endswith("weight") else 0.0, 0.2)
            elif "head" in name:
                parameter.normal_(0.0, model.head.in_features**-0.5)
            else:
                parameter.normal_(0.1, 0.5)
    return model


@pytest.fixture
def randomize() -> Callable[[ResNetV2], ResNetV2]:
    """A function that gives a network weights that all differ, so that a tensor in the wrong place shows.

    The filters have a mean and a spread that standardization must remove; the epsilon in it is far below both.
    """
    return _randomize


@pytest.fixture
def tiny() -> ResNetV2:
    """The smallest BiT network there is, with random weights and 5 classes."""
    return _randomize(build("R14x0.125", classes=5)).eval()
