"""What is written for others computes the same in their hands, or is not written."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from bitdoc import exchange
from bitdoc.data.images import resize
from bitdoc.exchange import exports, theirs
from bitdoc.exchange.exports import TARGETS, export
from bitdoc.exchange.folded import folded
from bitdoc.exchange.passport import Passport
from bitdoc.network.norms import StdConv2d
from bitdoc.network.resnet import build
from bitdoc.network.weights import WeightsError

PASSPORT = Passport("R14x0.125", ("ä", "b", "c", "d", "e"), 32, "bicubic", {"steps": 5}, "MIT", "BiT-T-R26x0.5")
SLOW = {"onnx", "torch.export"}
LIBRARIES = {"timm": "timm", "transformers": "transformers", "onnx": "onnxruntime"}


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in TARGETS])
def to(request) -> str:
    """Each format whose library is there."""
    if request.param in LIBRARIES:
        pytest.importorskip(LIBRARIES[request.param])
    return request.param


def test_each_format_gives_the_same_logits_and_leaves_nothing_else(to, tiny, tmp_path, capsys):
    path, difference = export(tiny, PASSPORT, to, tmp_path)
    assert capsys.readouterr() == ("", "")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name] and difference <= 1e-4
    pictures = torch.rand(5, 3, 32, 32) * 2 - 1  # a batch of another size than was compared
    with torch.no_grad():
        torch.testing.assert_close(TARGETS[to].logits(path, pictures), tiny(pictures), rtol=1e-4, atol=1e-4)
    again, _ = export(tiny, PASSPORT, to, tmp_path)  # in the place of the first
    assert again == path and [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("to", ["safetensors", "timm", "transformers"])
def test_the_passport_goes_along_and_comes_back(to, tiny, tmp_path):
    if to in LIBRARIES:
        pytest.importorskip(LIBRARIES[to])
    path, _ = export(tiny, PASSPORT, to, tmp_path)
    model, passport = exchange.load(path)
    assert passport == PASSPORT
    assert all(torch.equal(model.state_dict()[name], value) for name, value in tiny.state_dict().items())


@pytest.mark.slow
@pytest.mark.slow
def test_an_onnx_file_and_a_program_carry_the_passport(tiny, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    path, _ = export(tiny, PASSPORT, "onnx", tmp_path)
    session = onnxruntime.InferenceSession(path)
    assert session.get_modelmeta().custom_metadata_map == PASSPORT.header()
    assert [(value.name, value.shape[1:]) for value in session.get_inputs()] == [("pictures", [3, 32, 32])]
    path, _ = export(tiny, PASSPORT, "torch.export", tmp_path)
    torch.export.load(path, extra_files=(extra := {"passport.json": ""}))
    assert json.loads(extra["passport.json"]) == PASSPORT.header()


@pytest.mark.slow
def test_timm_builds_a_published_size_from_the_folder_alone(randomize, tmp_path):
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        model = build("R50x1", 3)
    model = randomize(model.to_empty(device="cpu")).eval()
    path, _ = export(model, Passport("R50x1", ("a", "b", "c"), 48), "timm", tmp_path)
    theirs_ = timm.create_model(f"local-dir:{path}", pretrained=True)
    config = timm.data.resolve_model_data_config(theirs_)
    assert (config["input_size"], config["crop_pct"], config["crop_mode"]) == ([3, 48, 48], 1.0, "squash")
    assert theirs_.pretrained_cfg["label_names"] == ["a", "b", "c"]


def photograph() -> Image.Image:
    """A picture of 60 by 45 pixels, in which neighbors are alike."""
    rough = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(rough).resize((60, 45), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_transformers_prepares_a_picture_as_we_do(interpolation, tiny, tmp_path):
    transformers = pytest.importorskip("transformers")
    path, _ = export(tiny, Passport("R14x0.125", (), 32, interpolation), "transformers", tmp_path)
    theirs_ = transformers.AutoImageProcessor.from_pretrained(path)(photograph(), return_tensors="pt").pixel_values
    pixels = torch.from_numpy(np.array(photograph())).permute(2, 0, 1)[None]
    ours = resize(pixels, 32, interpolation).float() / 127.5 - 1
    assert theirs_.shape == ours.shape and (theirs_ - ours).abs().max() < 1.01 / 127.5  # one level of 255


def test_timm_prepares_a_picture_as_we_do(randomize, tmp_path):
    timm = pytest.importorskip("timm")
    config = theirs.timm_config(Passport("R50x1", (), 32, "bicubic"), 2)["pretrained_cfg"]
    names = ("input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode")
    theirs_ = timm.data.create_transform(**{name: config[name] for name in names})(photograph())
    pixels = torch.from_numpy(np.array(photograph())).permute(2, 0, 1)[None]
    ours = resize(pixels, 32, "bicubic").float() / 127.5 - 1
    assert (theirs_ - ours[0]).abs().max() < 2.01 / 127.5  # Pillow rounds twice


def test_a_folded_network_is_the_same_without_standardization(tiny):
    plain, x = folded(tiny), torch.rand(2, 3, 32, 32)
    assert not any(isinstance(module, StdConv2d) for module in plain.modules())
    with torch.no_grad():
        assert torch.equal(plain(x), tiny(x))
    assert tiny.training is plain.training is False
    with pytest.raises(WeightsError, match="can be folded"):
        folded(build("R14x0.125", 2, standardized=False))


def test_what_differs_is_not_kept(tiny, tmp_path, monkeypatch):
    sound = TARGETS["npz"]

    def lose(model, passport, path):
        with torch.no_grad():
            model.norm.bias += 1.0
        sound.write(model, passport, path)
        with torch.no_grad():
            model.norm.bias -= 1.0

    monkeypatch.setitem(exports.TARGETS, "npz", exports.Target("model.npz", lose, sound.logits, ""))
    (tmp_path / "model.npz").write_text("what was there before")
    with pytest.raises(WeightsError, match=r"its logits differ by .*, more than 1e-04, so it is not kept"):
        export(tiny, PASSPORT, "npz", tmp_path)
    assert (tmp_path / "model.npz").read_text() == "what was there before"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_difference_that_epsilon_makes_is_explained(tiny, tmp_path):
    pytest.importorskip("timm")
    with torch.no_grad():
        for module in tiny.modules():
            if isinstance(module, StdConv2d):
                module.weight[::2] *= 1e-4
    with pytest.raises(WeightsError, match=r"timm's epsilon of 1e-8 changes the network's smallest filters by \d+"):
        export(tiny, PASSPORT, "timm", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_others_files_stays(tiny, tmp_path):
    pytest.importorskip("timm")
    (tmp_path / "timm").mkdir()
    (tmp_path / "timm" / "thesis.txt").write_text("mine")
    with pytest.raises(WeightsError, match=r"holds thesis.txt, which no export wrote"):
        export(tiny, PASSPORT, "timm", tmp_path)
    assert (tmp_path / "timm" / "thesis.txt").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_refusals_are_one_line(tiny, tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match="unknown format 'keras'; choose one of safetensors, npz, timm"):
        export(tiny, PASSPORT, "keras", tmp_path)
    with pytest.raises(WeightsError, match="without a head has no logits"):
        export(build("R14x0.125", 0), PASSPORT, "npz", tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(WeightsError, match="timm is not installed; this needs it: pip install timm"):
        export(tiny, PASSPORT, "timm", tmp_path)
    narrow = build("R14x0.03125", 5)
    pytest.importorskip("transformers")
    with pytest.raises(WeightsError, match="transformers makes channels in eights, which R14x0.03125 has not"):
        export(narrow, Passport("R14x0.03125", (), 32), "transformers", tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match=f"cannot write to .*file: {os.strerror(17)}"):
        export(tiny, PASSPORT, "npz", tmp_path / "file")


def test_what_a_killed_export_left_is_cleared(tiny, tmp_path):
    (tmp_path / ".model.npz.part").mkdir()
    (tmp_path / ".model.npz.part" / "model.npz").write_text("half of it")
    export(tiny, PASSPORT, "npz", tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.npz"]
