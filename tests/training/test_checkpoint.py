"""Checkpoints that are damaged, cut, foreign or not finite: the one before is used, or the file is refused by name."""

from __future__ import annotations

import io
import pickle
import random

import numpy as np
import pytest
import torch
from torch import nn

from bitdoc.training.checkpoint import fitted, load_checkpoint, read_state, save_checkpoint
from bitdoc.training.loop import TrainingError

RUN = {"name": "run"}


def network() -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.randn(3, 6)).sum().backward()
    optimizer.step()
    return model, optimizer


def state(**changes) -> dict:
    model, optimizer = network()
    made = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 3} | changes
    return {key: value for key, value in made.items() if value is not None}


def as_bytes(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def same(one: object, other: object) -> bool:
    """Whether two states are equal, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_a_flipped_bit_is_never_loaded(tmp_path, capsys):
    """Of a checkpoint without checksums checked, most flips would be loaded as weights."""
    path, whole = tmp_path / "bit.pt", state()
    raw, chance, seen = as_bytes(whole), random.Random(0), 0
    for _ in range(400):
        bit = chance.randrange(8 * len(raw))
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            found = read_state(path)
        except TrainingError:  # a name changed so that it is no longer a checkpoint
            found = None
        assert found is None or same(found, whole), f"bit {bit}"
        seen += found is None
    assert seen > 200, capsys.readouterr().out


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.95])
@pytest.mark.parametrize("zeros", [True, False])
def test_a_cut_checkpoint_is_passed_over_for_the_one_before(tmp_path, capsys, share, zeros):
    """Cut off, or filled with zeros from there on, as some file systems leave a file after a power failure."""
    path = tmp_path / "bit.pt"
    model, optimizer = network()
    for step in (1, 2):
        save_checkpoint(path, model, optimizer, step, RUN)
    raw = path.read_bytes()
    kept = raw[: int(share * len(raw))]
    path.write_bytes(kept + bytes(len(raw) - len(kept)) * zeros)
    assert load_checkpoint(path, model, optimizer, RUN)[0] == 1
    assert f"{path} is damaged and is passed over" in capsys.readouterr().out


class Foreign:
    """What another program may have kept."""


def archive_of(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


NAN = {"model": {"weight": torch.tensor([1.0, float("nan")])}}

REFUSED = {
    "text": (b"step 3", "is no checkpoint; move it away"),
    "pickle": (pickle.dumps({"step": 3}), "is no checkpoint; move it away"),
    "page": (b"<html>log in</html>" * 100, "is no checkpoint; move it away"),
    "weights-archive": (archive_of(a=np.zeros(3)), "is an archive, but no checkpoint"),
    "empty-archive": (archive_of(), "is an archive, but no checkpoint"),
    "other-objects": (as_bytes({"model": Foreign()}), "is no checkpoint of bitdoc"),
    "a-function": (as_bytes({"model": print}), "is no checkpoint of bitdoc"),
    "a-list": (as_bytes([1, 2]), "holds a list and is no checkpoint"),
    "a-tensor": (as_bytes(torch.zeros(3)), "holds a Tensor and is no checkpoint"),
    "weights-alone": (as_bytes(state()["model"]), "it has no 'model'"),
    "no-model": (as_bytes(state(model=None)), "it has no 'model'"),
    "no-optimizer": (as_bytes(state(optimizer=None)), "it has no 'optimizer'"),
    "no-step": (as_bytes(state(step=None)), "it has no 'step'"),
    "model-of-none": (as_bytes(state(model=[])), "it has no 'model'"),
    "step-of-words": (as_bytes(state(step="3")), "it has no 'step'"),
    "half-a-step": (as_bytes(state(step=2.5)), "it has no 'step'"),
    "a-step-of-yes": (as_bytes(state(step=True)), "it has no 'step'"),
    "before-the-start": (as_bytes(state(step=-1)), "is of step -1, expected 0 or more"),
    "nan": (as_bytes(state(**NAN)), "has values that are not finite"),
    "infinite": (as_bytes(state(model={"weight": torch.tensor([float("inf")])})), "has values that are not finite"),
    "nan-momentum": (as_bytes(state(optimizer={"state": {0: {"m": torch.tensor(float("nan"))}}})), "not finite"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_whole_but_no_checkpoint_is_refused_by_name(tmp_path, kind):
    path = tmp_path / "bit.pt"
    content, told = REFUSED[kind]
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=told) as error:
        load_checkpoint(path, *network(), RUN)
    assert str(path) in str(error.value) and "\n" not in str(error.value) and "to begin anew" in str(error.value)
    assert path.read_bytes() == content, "nothing is moved or removed for the user"


@pytest.mark.parametrize(
    "other", [nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 9)), nn.Linear(2, 2), nn.Conv2d(3, 3, 3)]
)
def test_a_checkpoint_of_another_network_is_refused_in_one_line(tmp_path, other):
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    with pytest.raises(TrainingError, match=r"bit.pt is a checkpoint of another network \(.*\); move it away") as error:
        fitted(tmp_path / "bit.pt", other, optimizer, state())
    assert "\n" not in str(error.value)


def test_what_is_saved_is_read_to_the_last_bit(tmp_path):
    model, optimizer = network()
    save_checkpoint(tmp_path / "bit.pt", model, optimizer, 7, RUN)
    found = read_state(tmp_path / "bit.pt")
    assert found["step"] == 7
    assert same(found["model"], dict(model.state_dict())) and same(found["optimizer"], optimizer.state_dict())
