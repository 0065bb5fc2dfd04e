"""The hub's cache, laid out by hand as huggingface_hub does it: found without network, checked by hash."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

import bitdoc
from bitdoc import exchange
from bitdoc.exchange import hub, layouts, tensorfile
from bitdoc.network import weights
from bitdoc.network.resnet import ResNetV2, build
from bitdoc.network.weights import WeightsError
from bitdoc.records.files import sha256

TIMM = "timm/resnetv2_50x1_bit.goog_in21k"
COMMIT = "0123456789" * 4


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of the hub, and no network."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def keep(cache: Path, repository: str, model: ResNetV2, layout: str, config: dict) -> Path:
    """Put a network into the cache; returns the file with its tensors."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    for place in (snapshot, folder / "refs", folder / "blobs"):
        place.mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    tensorfile.write(folder / "new", layouts.state(model, layout), {})
    blob = (folder / "new").rename(folder / "blobs" / sha256(folder / "new"))
    (snapshot / "model.safetensors").symlink_to(blob)
    (snapshot / "config.json").write_text(json.dumps(config))
    return blob


def test_a_network_of_timms_in_the_cache(cache, tiny):
    settings = {"pretrained_cfg": {"input_size": [3, 224, 224], "interpolation": "bilinear"}, "num_groups": 4}
    keep(cache, TIMM, tiny, "timm", settings | {"architecture": "resnetv2_50x1_bit"})
    for name in (TIMM, f"hf-hub:{TIMM}", f"{TIMM}@{COMMIT}"):
        model, passport = exchange.load(name)
        assert all(torch.equal(model.state_dict()[key], value) for key, value in tiny.state_dict().items())
        assert (passport.license, passport.side, passport.classes) == ("Apache-2.0", 224, ())
        assert passport.origin == f"BiT-M-R50x1, kept as {name}"


def test_a_network_of_transformers_in_the_cache(cache, tiny):
    labels = {str(n): name for n, name in enumerate("abcde")}
    keep(cache, "google/bit-50", tiny, "transformers", {"model_type": "bit", "id2label": labels, "num_groups": 4})
    _, passport = exchange.load("google/bit-50")
    assert passport.classes == tuple("abcde")
    assert passport.origin == "BiT-M-R50x1-ILSVRC2012, kept as google/bit-50"


def test_others_networks_have_no_license_that_we_know(cache, tiny):
    keep(cache, "someone/their-bit", tiny, "transformers", {"num_groups": 4})
    _, passport = exchange.load("someone/their-bit")
    assert (passport.license, passport.origin) == ("", "someone/their-bit")


def test_an_altered_file_is_named(cache, tiny):
    blob = keep(cache, TIMM, tiny, "timm", {})
    raw = bytearray(blob.read_bytes())
    raw[-1] ^= 1
    blob.write_bytes(raw)
    with pytest.raises(WeightsError, match=r"model.safetensors of timm/.* is altered: SHA-256 .*; delete .*blobs"):
        exchange.load(TIMM)


def test_without_network_what_is_not_there_is_told_in_a_line(cache, tiny):
    with pytest.raises(WeightsError, match="is not in the hub's cache, and the hub cannot be reached") as error:
        exchange.load(TIMM)
    assert "\n" not in str(error.value)
    with pytest.raises(WeightsError, match="cannot be reached"):
        exchange.load("timm/resnetv2_50x1_bit.goog_in21k@v2")


def test_without_the_library_the_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(WeightsError, match=re.escape("needs huggingface_hub: pip install huggingface_hub")):
        hub.fetch(TIMM, ["model.safetensors"], [])


@pytest.mark.slow
def test_a_network_of_the_hub_gets_the_name_and_the_file_that_the_commands_know(cache, randomize, monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", str(cache / "bitdoc"))
    with torch.device("meta"):
        model = build("R50x1", 3)
    model = randomize(model.to_empty(device="cpu")).eval()
    keep(cache, TIMM, model, "timm", {})
    name, folder = exchange.adopt(TIMM)
    assert name == "BiT-M-R50x1"
    found = weights.load(name, directory=folder)
    assert all(torch.equal(found.state_dict()[key], value) for key, value in model.state_dict().items())
    made = (folder / "BiT-M-R50x1.npz").stat().st_mtime_ns
    assert exchange.adopt(TIMM) == (name, folder) and (folder / "BiT-M-R50x1.npz").stat().st_mtime_ns == made
    assert torch.equal(bitdoc.load(TIMM).norm.bias, model.norm.bias)
    with pytest.raises(WeightsError, match=r"someone/their-bit keeps none of the authors' networks; expected timm/"):
        exchange.adopt("someone/their-bit")


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("timm/resnetv2_50x1_bit.goog_in21k", "BiT-M-R50x1"),
        ("timm/resnetv2_152x4_bit.goog_in21k_ft_in1k@main", "BiT-M-R152x4-ILSVRC2012"),
        ("timm/resnetv2_50x1_bit.goog_distilled_in1k", "BiT-M-R50x1-goog_distilled_in1k"),
        ("google/bit-50", "BiT-M-R50x1-ILSVRC2012"),
    ],
)
def test_what_the_authors_networks_are_called_here(repository, name):
    assert hub.model_name(repository) == name == str(weights.ModelName.parse(name))


def test_names():
    for name in (TIMM, "google/bit-50", "timm/resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k_384@main"):
        assert hub.is_name(name) and hub.is_authors(name)
    assert hub.is_name("a/b") and not hub.is_authors("a/b")
    for name in ("resnet", "a/b/c", "/a/b", "a b/c", ""):
        assert not hub.is_name(name)


def test_the_library_knows_the_names_that_are_asked_of_the_hub():
    """timm's own list of its BiT networks; each of them is recognized as the authors'."""
    timm = pytest.importorskip("timm")
    known = [f"timm/{name}" for name in timm.list_pretrained("resnetv2_*_bit.*")]
    assert len(known) == 15 and all(hub.is_authors(name) for name in known)
    assert {timm.get_pretrained_cfg(name[5:]).license for name in known} == {"apache-2.0"}
