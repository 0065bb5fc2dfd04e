"""Memory, operations and time, worked out before anything is run."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from bitdoc.network import cost
from bitdoc.network.norms import standardized_once
from bitdoc.network.resnet import build, count_parameters
from bitdoc.training.engine import Engine


def kept_by_a_real_step(precision: str, images: int = 2) -> int:
    """Bytes kept for the backward pass by a real forward pass on the CPU, weights and filters aside."""
    engine = Engine(precision=precision)
    model = engine.place(build("R26x0.25", 10))
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with standardized_once(model):
        not_counted = [
            *model.parameters(),
            *(m.shared for m in model.modules() if getattr(m, "shared", None) is not None),
        ]
        x = torch.randn(images, 3, 64, 64).contiguous(memory_format=torch.channels_last)
        with saved_tensors_hooks(keep, lambda tensor: tensor), engine.autocast():
            loss = model(x).float().sum()
        sizes = {tensor.shape for tensor in not_counted}
        total = sum(t.untyped_storage().nbytes() for t in kept.values() if t.shape not in sizes)
        del loss
    return total


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_activations_are_those_of_a_real_pass(precision):
    """In bfloat16 too: group norm must not keep a float32 copy of what it reads."""
    with torch.device("meta"):
        model = build("R26x0.25", 10)
        largest = 64 * model.arch.channels(256) // 64 * 16 * 16  # a stage's output at a quarter of the side
    real = kept_by_a_real_step(precision) / 2
    counted = cost.activations("R26x0.25", 64, precision)
    each = 4 if precision == "float32" else 2
    assert counted - 3 * largest * each == pytest.approx(real, rel=0.12)


def test_activations_grow_with_area_and_halve_with_precision():
    small, large = (cost.activations("R14x0.25", side) for side in (64, 128))
    assert large / small == pytest.approx(4, rel=0.05)
    assert cost.activations("R14x0.25", 64, "bfloat16") / small == pytest.approx(0.5, rel=0.05)


def test_memory_of_a_step():
    weights = 4 * count_parameters("R50x3", 10)
    whole, split = (cost.memory("R50x3", 128, 512, parts) for parts in (1, 8))
    assert split.weights == split.momentum == split.gradients == weights and split.filters == 2 * weights
    assert whole.activations == 8 * split.activations > 30 * 2**30
    assert split.total == 4 * weights + split.images + split.activations
    tiny = cost.memory("R50x3", 32, 32, 32)
    assert tiny.total == 5 * weights + tiny.images, (
        "where activations are few, the gradients of raw weights make the peak"
    )


def test_split_that_fits():
    splits = [cost.split_that_fits("R50x3", 128, 512, card << 30, "bfloat16") for card in (4, 8, 16, 80)]
    assert splits[0] is None and splits[1] > splits[2] > splits[3] == 1
    room = cost.memory("R50x3", 128, 512, splits[1], "bfloat16").total
    assert room <= 0.9 * (8 << 30) < cost.memory("R50x3", 128, 512, splits[1] // 2, "bfloat16").total


def test_operations_are_those_of_resnet_50():
    """4.1 billion multiply-adds at 224 pixels (He et al. count 3.8 with the stride on the first convolution)."""
    assert cost.operations("R50x1", 224) / 2e9 == pytest.approx(4.1, abs=0.05)
    assert cost.operations("R50x3", 64) / cost.operations("R50x1", 64) == pytest.approx(9, rel=0.05)


def test_the_limit_is_the_best_of_all_sizes(monkeypatch):
    rates = {512: 3e9, 768: 5e9, 1024: 2e9, 1536: 4e9, 2048: 1e9}
    asked = []

    def matmul_rate(device, side, seconds):
        asked.append((side, seconds))
        return rates[side]

    monkeypatch.setattr(cost, "matmul_rate", matmul_rate)
    assert cost.best_matmul_rate(torch.device("cpu"), seconds=1.0) == 5e9
    assert [side for side, _ in asked] == list(rates) and sum(seconds for _, seconds in asked) == pytest.approx(1.0)


def test_time_follows_the_rate():
    rate = cost.matmul_rate(torch.device("cpu"), side=128, seconds=0.05)
    assert rate > 1e8
    assert cost.seconds("R50x1", 64, 0, 30, rate) == pytest.approx(cost.seconds("R50x1", 64, 10, 0, rate))
    assert cost.seconds("R50x1", 64, 10, 0, 2 * rate) == pytest.approx(cost.seconds("R50x1", 64, 5, 0, rate))
