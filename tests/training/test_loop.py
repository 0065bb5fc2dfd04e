"""The training loop: sampling, crops, accumulation, resuming, and faults."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bitdoc.network.resnet import build
from bitdoc.training import loop
from bitdoc.training.checkpoint import load_checkpoint, save_checkpoint

#: What a run is, in short.
RUN = {"batch": 8, "seed": 0}


def small(norm_kind="group", classes=4):
    torch.manual_seed(0)
    model = build("R14x0.25", classes, norm_kind=norm_kind, zero_head=False)
    return model.double()


def test_without_replacement_each_epoch_shows_each_image_once():
    stream = torch.cat([loop.sample_indices(10, 4, step, seed=1) for step in range(5)])
    assert sorted(stream[:10].tolist()) == list(range(10)) == sorted(stream[10:20].tolist())
    assert stream[:10].tolist() != stream[10:20].tolist()


def test_a_batch_larger_than_the_data_repeats_whole_epochs():
    indices = loop.sample_indices(3, 8, 0, seed=0)
    assert len(indices) == 8 and torch.bincount(indices).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])


def test_with_replacement_draws_are_independent_and_reproducible():
    first = loop.sample_indices(10, 512, 7, seed=0, replacement=True)
    assert torch.equal(first, loop.sample_indices(10, 512, 7, seed=0, replacement=True))
    assert len(set(torch.bincount(first).tolist())) > 1
    assert not torch.equal(first, loop.sample_indices(10, 512, 8, seed=0, replacement=True))


def test_crops_are_windows_of_the_image_or_their_mirror():
    images = torch.arange(36, dtype=torch.uint8).reshape(1, 1, 6, 6).expand(40, 3, 6, 6)
    crops = loop.crop_and_flip(images, 4, loop.generator("test"))
    windows = [images[0, :, t : t + 4, left : left + 4] for t in range(3) for left in range(3)]
    windows += [w.flip(-1) for w in windows]
    kinds = {next(i for i, w in enumerate(windows) if torch.equal(w, crop)) for crop in crops}
    assert len(kinds) > 9, "both mirrors and many places must occur"


def test_crops_by_index_on_any_device_are_the_same_pixels():
    """Cards cut all images at once, CPUs one by one."""
    images = torch.randint(0, 256, (5, 3, 7, 9), dtype=torch.uint8)
    indices = torch.tensor([4, 0, 0, 2])
    whole = loop.crop_and_flip(images[indices], 4, loop.generator("crop"))
    part = loop.crop_and_flip(images, 4, loop.generator("crop"), indices)
    assert torch.equal(whole, part)
    places = indices, torch.tensor([0, 3, 1, 2]), torch.tensor([5, 0, 2, 1]), torch.tensor([True, False, True, False])
    at_once = loop._cut_at_once(images, 4, *places)
    assert torch.equal(at_once, loop._cut_one_by_one(images, 4, *places))
    assert torch.equal(at_once[1], images[0, :, 3:7, 0:4]) and torch.equal(at_once[0], images[4, :, :4, 5:9].flip(-1))


def test_full_random_resized_crop_is_the_image_or_its_mirror():
    images = torch.randint(0, 256, (16, 3, 8, 8), dtype=torch.uint8)
    out = loop.random_resized_crop(images, 8, (1.0, 1.0), loop.generator("test"))
    assert out.shape == (16, 3, 8, 8) and out.min() >= -1 and out.max() <= 1
    small_part = loop.random_resized_crop(
        torch.full((4, 3, 8, 8), 255, dtype=torch.uint8), 5, (0.1, 0.2), loop.generator(1)
    )
    assert torch.allclose(small_part, torch.ones(4, 3, 5, 5), atol=1e-5)


def one_batch(n=8, classes=4):
    rng = loop.generator("batch")
    return torch.rand(n, 3, 32, 32, generator=rng, dtype=torch.float64) * 2 - 1, torch.arange(n) % classes


def gradients(model, split, alpha=0.0):
    x, y = one_batch()
    model.zero_grad()
    loop.accumulate(model, loop.mixed_micro_batches(x, y, split, alpha, loop.generator(0)), len(x))
    return [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("split", [2, 4, 8])
def test_micro_batches_give_the_same_gradients(split):
    model = small()
    for whole, parts in zip(gradients(model, 1), gradients(model, split), strict=True):
        assert torch.allclose(whole, parts, atol=1e-10, rtol=0)


def test_micro_batches_change_the_gradients_of_batch_norm():
    """Were this test to fail, the one above would prove nothing about group norm."""
    model = small("batch")
    gaps = [(a - b).abs().max().item() for a, b in zip(gradients(model, 1), gradients(model, 4), strict=True)]
    assert max(gaps) > 1e-4


def test_micro_batches_share_one_lambda():
    x, y = one_batch()
    batches = list(loop.mixed_micro_batches(x, y, 4, 0.4, loop.generator(5)))
    assert len({b.lam for b in batches}) == 1 and 0 < batches[0].lam < 1
    first = batches[0]
    assert torch.allclose(first.images, first.lam * x[:2] + (1 - first.lam) * x[:2][first.partner])


def test_twenty_steps_equal_an_independent_loop():
    """Same weights, same batches, momentum SGD with the staircase written out by hand, float64."""
    ours, theirs = small(), small()
    rates = [0.0, 0.01, 0.02] + [0.02] * 10 + [0.002] * 7
    batches = [(torch.randn(6, 3, 32, 32, dtype=torch.float64), torch.randint(0, 4, (6,))) for _ in rates]

    def batch_at(step):
        x, y = batches[step]
        return loop.mixed_micro_batches(x, y, 3, 0.0, loop.generator(0)), len(x)

    optimizer = torch.optim.SGD(ours.parameters(), lr=0.0, momentum=0.9)
    loop.train(ours, optimizer, batch_at, lambda s: rates[s] if s < len(rates) else None)

    velocity = [torch.zeros_like(p) for p in theirs.parameters()]
    for lr, (x, y) in zip(rates, batches, strict=True):
        grads = torch.autograd.grad(F.cross_entropy(theirs(x), y), list(theirs.parameters()))
        with torch.no_grad():
            for p, v, g in zip(theirs.parameters(), velocity, grads, strict=True):
                v.mul_(0.9).add_(g)
                p.sub_(lr * v)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-9, rtol=0)


def test_a_loss_that_is_not_finite_stops_before_the_update():
    model = small()
    x, y = one_batch()
    x[0] = float("nan")
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(loop.TrainingError, match="the loss is nan at step 0"):
        loop.train(
            model,
            optimizer,
            lambda s: (loop.mixed_micro_batches(x, y, 1, 0, loop.generator(0)), 8),
            lambda s: 0.1,
        )
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_evaluation_scores():
    class Fixed(nn.Module):
        def forward(self, x):
            return F.one_hot(torch.tensor([0, 1, 2, 3]), 7).float() * 5 + torch.linspace(0, 1, 7)

    images = torch.zeros(4, 3, 2, 2)
    score = loop.evaluate(Fixed(), [(images, torch.tensor([0, 1, 3, 1]))])
    assert score.top1 == 50.0
    # For a uniform tail of rising logits the five best are the chosen class and classes 3 to 6.
    assert score.top5 == 75.0
    with pytest.raises(loop.TrainingError, match="test set is empty"):
        loop.evaluate(Fixed(), [])


def step_batches(step):
    rng = loop.generator("resume", step)
    x = torch.rand(4, 3, 32, 32, generator=rng, dtype=torch.float64)
    return loop.mixed_micro_batches(x, torch.arange(4), 2, 0.2, rng), 4


def test_a_killed_run_ends_with_the_same_weights(tmp_path):
    def rate(step):
        return 0.05 if step < 6 else None

    whole = small()
    loop.train(whole, torch.optim.SGD(whole.parameters(), lr=0, momentum=0.9), step_batches, rate)

    class Killed(Exception):
        pass

    path = tmp_path / "run.pt"
    first = small()
    optimizer = torch.optim.SGD(first.parameters(), lr=0, momentum=0.9)

    def kill(step, lr, loss):
        save_checkpoint(path, first, optimizer, step + 1, RUN)
        if step == 2:
            raise Killed

    with pytest.raises(Killed):
        loop.train(first, optimizer, step_batches, rate, on_step=kill)
    second = small()
    optimizer = torch.optim.SGD(second.parameters(), lr=0, momentum=0.9)
    start, _ = load_checkpoint(path, second, optimizer, RUN)
    assert start == 3
    loop.train(second, optimizer, step_batches, rate, start=start)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(
    "told", [{"tag": "by an older version"}, {"run": {}}, {"run": {"batch": 8}}, {"run": {"seed": 0}}]
)
def test_a_checkpoint_that_does_not_tell_its_whole_run_is_refused(tmp_path, told):
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.save(
        told | {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 1}, tmp_path / "run.pt"
    )
    with pytest.raises(loop.TrainingError, match="belongs to another run: .* is None there and"):
        load_checkpoint(tmp_path / "run.pt", model, optimizer, RUN)


def test_damaged_and_foreign_checkpoints(tmp_path, capsys):
    path = tmp_path / "run.pt"
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    assert load_checkpoint(path, model, optimizer, RUN) == (0, {})
    save_checkpoint(path, model, optimizer, 1, RUN)
    save_checkpoint(path, model, optimizer, 2, RUN)
    path.write_bytes(path.read_bytes()[:1000])
    assert load_checkpoint(path, model, optimizer, RUN)[0] == 1, "the one before must be used"
    assert "run.pt is damaged and is passed over" in capsys.readouterr().out
    with pytest.raises(loop.TrainingError, match="belongs to another run: batch is 8 there and 16 here; name"):
        load_checkpoint(path, model, optimizer, RUN | {"batch": 16})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.previous", "run.pt"]
