"""What the few-shot learner in the page works with: is it whole, of the weights that ship, and true to the records?"""

from __future__ import annotations

import base64
import gzip
import json
import random
import statistics

import numpy as np
import pytest
import torch

from bitdoc.network import weights
from bitdoc.network.norms import StdConv2d, standardize
from bitdoc.records import runs
from bitdoc.studies.fewshot import page_files, ten_pictures, which_runs


@pytest.fixture(scope="module")
def kept() -> ten_pictures.TenPictures:
    return ten_pictures.read()


def from_script(text: str, name: str) -> dict:
    start = f"window.{name} = "
    assert text.startswith(start)
    return json.loads(text.removeprefix(start).rstrip(";\n"))


def test_the_file_is_whole_and_of_the_weights_that_ship(kept):
    assert kept.about["digests"] == ten_pictures.digests(kept)
    now = weights.sha256(weights.find(which_runs.SHIPPED))
    assert kept.about["weights_sha256"] == now, "new weights: python -m bitdoc.studies.fewshot.ten_pictures"
    assert ten_pictures.main(["--check"]) == 0
    assert kept.miniature.shape == kept.random.shape == (len(kept.labels), 1024)
    assert kept.pictures().shape == (400, 32, 32, 3)
    assert np.bincount(kept.labels).tolist() == [40] * 10
    assert len(set(kept.about["pool_indices"])) == len(set(kept.about["test_indices"])) == 200


def test_writing_it_again_gives_the_same_bytes(kept, tmp_path):
    ten_pictures.write(kept, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == ten_pictures.FILE.read_bytes()


def test_a_file_of_other_weights_is_named(kept, tmp_path, monkeypatch, capsys):
    other = ten_pictures.TenPictures(kept.sheet, kept.miniature, kept.random, kept.about | {"weights_sha256": "0" * 64})
    monkeypatch.setattr(ten_pictures, "FILE", tmp_path / "ten.npz")
    ten_pictures.write(other, tmp_path / "ten.npz")
    monkeypatch.setattr(ten_pictures.read, "__defaults__", (tmp_path / "ten.npz",))
    assert ten_pictures.main(["--check"]) == 1
    assert "make it anew" in capsys.readouterr().out


def test_test_pictures_are_evenly_spaced_within_each_class():
    clear, labels = torch.arange(2000.0), torch.arange(2000) % 2
    chosen = ten_pictures.evenly(clear, labels, 20)
    assert labels[chosen].tolist() == [0] * 20 + [1] * 20
    assert chosen[:20].diff().unique().tolist() == [100]
    found = torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    assert ten_pictures.margins(found, torch.tensor([0, 2])).tolist() == pytest.approx([0.2, -0.3])


@pytest.mark.parametrize("shots", [1, 10])
def test_the_probe_on_8_bits_agrees_with_the_records(kept, shots):
    """Median of 20 deals against the records' median over all test pictures; with one picture luck is larger."""
    labels, values, rng = torch.from_numpy(kept.labels), kept.features("miniature"), random.Random(5)
    found = []
    for _ in range(20):
        few = [c * 20 + i for c in range(10) for i in rng.sample(range(20), shots)]
        named = ten_pictures.probabilities(values[few], labels[few], values[200:]).argmax(1)
        found.append(100 * (named == labels[200:]).float().mean().item())
    records = runs.load(which_runs.EXPERIMENT, model=which_runs.SHIPPED, method="linear-probe")
    assert statistics.median(found) == pytest.approx(which_runs.medians(records)[shots], abs=2 if shots == 10 else 4)


def test_weights_come_back_from_the_page_s_file():
    script = page_files.network_script()
    assert len(script) < 5_000_000
    content = from_script(script, "tenPicturesWeights")
    model = weights.load(which_runs.SHIPPED)
    data, at, modules = base64.b85decode(content["data"]), 0, dict(model.named_modules())
    for name, shape, kind in content["layers"]:
        size = int(np.prod(shape)) * int(kind[1])
        values = torch.from_numpy(np.frombuffer(data[at : at + size], f"<{kind}").astype(np.float32)).reshape(shape)
        at += size
        if isinstance(modules[name], StdConv2d):
            exact = standardize(modules[name].weight.detach().float())
            step = exact.abs().amax((1, 2, 3)) / (127 if kind == "i1" else 32767)
            error = (standardize(values) - exact).abs().amax((1, 2, 3))
            assert (error < 0.75 * step + 1e-5).all(), name
        else:
            assert torch.equal(values, torch.stack([modules[name].weight, modules[name].bias]).detach().float())
    assert len(data) - at < 4
    missing = {name.rpartition(".")[0] for name, _ in model.named_parameters()} - {n for n, *_ in content["layers"]}
    assert missing == {"head"}


def test_letters_keep_the_features_to_64_steps(kept):
    script = page_files.features_script(kept)
    assert len(gzip.compress(script.encode())) < 600_000
    content = from_script(script, "tenPicturesFeatures")
    for network in ten_pictures.NETWORKS:
        steps = np.array([page_files.LETTERS.index(letter) for letter in content[network]])
        assert np.abs(steps * 255 / 63 - getattr(kept, network).ravel()).max() <= 255 / 126 + 1e-9


def test_few_pictures_change_their_name_when_features_have_64_steps(kept):
    labels, rng = torch.from_numpy(kept.labels), random.Random(3)
    fine = kept.features("miniature")
    coarse = (fine.sqrt() / 255 * 63).round().square()
    same = []
    for shots in (1, 1, 1, 1, 10):
        few = [c * 20 + i for c in range(10) for i in rng.sample(range(20), shots)]
        named = [ten_pictures.probabilities(x[few], labels[few], x[200:]).argmax(1) for x in (fine, coarse)]
        same.append((named[0] == named[1]).float().mean().item())
    assert min(same) > 0.93
    assert statistics.mean(same) > 0.97


def test_the_data_file_holds_what_the_package_keeps(kept):
    script = page_files.data_script(kept)
    assert len(script) < 200_000
    content = from_script(script, "tenPicturesData")
    assert base64.b64decode(content["sheet"].partition(",")[2]) == kept.sheet
    assert content["digests"] == ten_pictures.digests(kept)
    probe = next(curve for curve in content["curves"] if curve["name"] == "probe")
    records = runs.load(which_runs.EXPERIMENT, model=which_runs.SHIPPED, method="linear-probe")
    assert dict(probe["points"]) == which_runs.medians(records)
