"""Features are computed once for each picture, and found again by its contents."""

from __future__ import annotations

import pytest
import torch

from bitdoc import data
from bitdoc.desk.features import Features, computer
from bitdoc.network.norms import StdConv2d
from bitdoc.training.engine import Engine

DIGESTS = [f"{i % 3:064x}" for i in range(4)]  # the last picture is the first once more


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
    pixels = torch.randint(0, 256, (4, 3, 20, 24), dtype=torch.uint8)
    pixels[3] = pixels[0]
    return data.Images("folder", "all", "made", ("a", "b"), torch.tensor([0, 1, 0, 1]), pixels)


def test_they_are_the_networks(images, tiny):
    features = Features("one", tiny.head.in_features)
    features.compute(computer(tiny, Engine()), images, DIGESTS, 32)
    with torch.no_grad():
        expected = tiny.features(images.fetch(torch.arange(4), 32).float() / 127.5 - 1)
    assert torch.allclose(features.of(DIGESTS), expected, atol=1e-5)


def test_filters_are_standardized_once_for_all_batches(tiny, monkeypatch):
    compute = computer(tiny, Engine())
    monkeypatch.setattr("bitdoc.network.norms.standardize_fused", lambda *_: pytest.fail("standardized again"))
    for _ in range(2):
        assert compute(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape == (2, 256)
    monkeypatch.undo()
    assert isinstance(tiny.root.conv, StdConv2d), "the network itself stays as it is"


def test_they_are_computed_once(images, tiny):
    seen = []

    def compute(x):
        seen.append(len(x))
        return x.float().mean((2, 3))

    for _ in range(2):
        Features("one", 3).compute(compute, images, DIGESTS, 32)
    assert seen == [3]
    Features("another network", 3).compute(compute, images, DIGESTS, 32)
    assert seen == [3, 3]


def test_a_damaged_cache_is_computed_anew(images, tmp_path):
    features = Features("one", 3)
    features.compute(lambda x: x.float().mean((2, 3)), images, DIGESTS, 32)
    raw = features.file.read_bytes()
    for damaged in (b"", raw[:50], raw[: len(raw) // 2], b"x" * 100):
        features.file.write_bytes(damaged)
        assert Features("one", 3).missing(DIGESTS) == [0, 1, 2]
    features.file.write_bytes(raw)
    assert Features("one", 3).missing(DIGESTS) == [] and Features("one", 4).missing(DIGESTS) == [0, 1, 2]


@pytest.mark.parametrize("patience", [0, 3600])  # seconds after which they are kept: by then, and at the end alone
def test_what_was_computed_before_a_stop_is_kept(images, monkeypatch, patience):
    monkeypatch.setattr("bitdoc.desk.features._BATCH", 1)
    monkeypatch.setattr("bitdoc.desk.features._EVERY", patience)
    done = []

    def compute(x):
        if len(done) == 2:
            if patience == 0:  # as after kill -9, nothing more is written
                monkeypatch.setattr(Features, "_keep", lambda _: None)
            raise KeyboardInterrupt
        done.append(x)
        return x.float().mean((2, 3))

    with pytest.raises(KeyboardInterrupt):
        Features("one", 3).compute(compute, images, DIGESTS, 32)
    assert Features("one", 3).missing(DIGESTS) == [2]
