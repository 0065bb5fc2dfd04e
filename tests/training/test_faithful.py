"""The package against an implementation written here from the official code's description, in plain functions.

A narrow R50 (3, 4, 6 and 3 blocks), float64, twenty steps of SGD with momentum on the same batches: every parameter
agrees to 1e-9. Nothing of :mod:`bitdoc` is used on the right-hand side but the names of the parameters.
"""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from bitdoc.network.resnet import build
from bitdoc.training import hyperrule, loop

GROUPS, BLOCKS = 4, (3, 4, 6, 3)
#: The rule's learning rate; with ten times as much, rounding errors grow a millionfold in twenty steps.
SCHEDULE, BASE_LR = (4, 8, 12, 16, 20), 0.003


def convolution(x, weight, stride=1):
    """Standardized by the official formula: population variance plus 1e-10 under the root; padding (k - 1) // 2."""
    flat = weight.reshape(len(weight), -1)
    spread = torch.sqrt(((flat - flat.mean(1, keepdim=True)) ** 2).mean(1, keepdim=True) + 1e-10)
    standard = ((flat - flat.mean(1, keepdim=True)) / spread).reshape(weight.shape)
    return F.conv2d(x, standard, stride=stride, padding=(weight.shape[-1] - 1) // 2)


def activated(x, p, name):
    """Group norm, written out, and ReLU."""
    n, c, h, w = x.shape
    grouped = x.reshape(n, GROUPS, -1)
    mean = grouped.mean(2, keepdim=True)
    variance = ((grouped - mean) ** 2).mean(2, keepdim=True)
    x = ((grouped - mean) / torch.sqrt(variance + 1e-5)).reshape(n, c, h, w)
    return torch.relu(x * p[f"{name}.weight"].reshape(1, c, 1, 1) + p[f"{name}.bias"].reshape(1, c, 1, 1))


def logits(p, x):
    x = F.max_pool2d(F.pad(convolution(x, p["root.conv.weight"], 2), (1, 1, 1, 1)), 3, 2)
    for stage, count in enumerate(BLOCKS):
        for unit in range(count):
            at = f"stages.{stage}.{unit}"
            stride = 2 if stage > 0 and unit == 0 else 1
            out = activated(x, p, f"{at}.norm_a")
            shortcut = convolution(out, p[f"{at}.proj.weight"], stride) if unit == 0 else x
            out = convolution(out, p[f"{at}.conv_a.weight"])
            out = convolution(activated(out, p, f"{at}.norm_b"), p[f"{at}.conv_b.weight"], stride)
            x = shortcut + convolution(activated(out, p, f"{at}.norm_c"), p[f"{at}.conv_c.weight"])
    pooled = activated(x, p, "norm").mean((2, 3))
    return pooled @ p["head.weight"].T + p["head.bias"]


def rate(step):
    """The official staircase: a linear warm-up from 0, then tenfold drops, each felt one step later."""
    if step < SCHEDULE[0]:
        return BASE_LR * step / SCHEDULE[0]
    return BASE_LR * 0.1 ** sum(drop < step for drop in SCHEDULE[1:-1])


def test_twenty_steps_equal_an_independent_implementation():
    torch.manual_seed(0)
    model = build("R50x0.125", 5).double()  # its head starts at zero, as in fine-tuning
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    theirs = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    batches = [(torch.rand(4, 3, 40, 40, dtype=torch.float64) * 2 - 1, torch.randint(0, 5, (4,))) for _ in range(20)]

    def batch_at(step):
        x, y = batches[step]
        return loop.mixed_micro_batches(x, y, 2, 0.0, loop.generator(0)), len(x)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    losses = []
    steps = loop.train(
        model,
        optimizer,
        batch_at,
        lambda step: hyperrule.learning_rate(step, SCHEDULE, BASE_LR),
        on_step=lambda step, lr, loss: losses.append((lr, loss)),
    )
    assert steps == 20

    velocity = {name: torch.zeros_like(p) for name, p in theirs.items()}
    for step, (x, y) in enumerate(batches):
        scores = logits(theirs, x)
        loss = (torch.logsumexp(scores, 1) - scores[torch.arange(4), y]).mean()
        assert losses[step] == pytest.approx((rate(step), loss.item()), abs=1e-9)
        gradients = torch.autograd.grad(loss, list(theirs.values()))
        with torch.no_grad():
            for (name, p), gradient in zip(theirs.items(), gradients, strict=True):
                velocity[name] = 0.9 * velocity[name] + gradient
                p -= rate(step) * velocity[name]
    for name, p in model.named_parameters():
        assert torch.allclose(p, theirs[name], atol=1e-9, rtol=0), name
    gone = [(p - before[name]).abs().max() for name, p in model.named_parameters()]
    assert min(gone) > 1e-7, "every parameter must have moved for the test to say anything"
