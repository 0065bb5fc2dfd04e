"""A few trials of each kind, always the same; ``nox -s fuzz`` makes other ones for as long as one likes."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from fuzz.mutations import KINDS, ODD, mutated, odd
from fuzz.run import trial

TRIALS = {"pictures": 100, "weights": 30, "safetensors": 60, "tensors": 20, "checkpoints": 60, "records": 60}
TRIALS |= {"train": 12, "pretrain": 8}


@pytest.mark.parametrize("target", TRIALS)
def test_nothing_is_found(tmp_path, target):
    for number in range(TRIALS[target]):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert not (report := trial(target, number, 0, folder)), f"{report}\ntrial {number} of {target}, seed 0"


@pytest.mark.parametrize(
    ("target", "place", "lax"),
    [
        ("pictures", "bitdoc.data.pictures.DataError", ValueError),  # errors of another kind than promised
        ("weights", "bitdoc.network.npz.read", lambda path: dict(np.load(path))),  # damage is loaded
        ("safetensors", "bitdoc.exchange.tensorfile._canonical", lambda said, entries: b""),  # no hash of the header
        ("checkpoints", "zipfile.ZipFile.testzip", lambda archive: None),
    ],
)
def test_what_is_wrong_would_be_found(tmp_path, monkeypatch, target, place, lax):
    monkeypatch.setattr(place, lax)
    for number in range(300):
        folder = tmp_path / str(number)
        folder.mkdir()
        if trial(target, number, 0, folder):
            return
    pytest.fail(f"{place} is of no consequence")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_damage_changes_bytes(kind):
    raw = bytes(range(256)) * 4
    assert sum(kind(raw, Random(seed)) != raw for seed in range(50)) > 40
    assert mutated(b"", Random(0)) == b""


def test_odd_values_are_of_many_kinds():
    found = [odd({"a": [1, {"b": 2}], "c": "d"}, Random(seed)) for seed in range(300)]
    assert len({str(value) for value in found}) > 100 and len(ODD) > 20
