"""A run that is given away: what is loaded computes what was saved, and what is no run is refused in one line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from folders import drawn
from PIL import Image

import bitdoc
from bitdoc import exchange
from bitdoc.desk import bundle
from bitdoc.network.resnet import ResNetV2
from bitdoc.network.weights import WeightsError
from bitdoc.training.command import Refused


@pytest.fixture
def run(tmp_path, tiny):
    passport = exchange.Passport("R14x0.125", tuple("abcde"), 32, "bicubic", {"method": "made"}, "MIT", "nothing")
    exchange.save(tiny, tmp_path / "run" / bundle.NETWORK, passport)
    return tmp_path / "run"


def test_what_was_saved_is_loaded(run, tiny):
    network = bitdoc.load(run)
    assert network.classes == tuple("abcde") and network.passport.recipe == {"method": "made"}
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(network(x), tiny(x))
    assert torch.equal(bitdoc.load(run / bundle.NETWORK)(x), tiny(x))


def test_names_of_weights_are_loaded_as_before():
    network = bitdoc.load("BiT-T-R26x0.5", classes=3)
    assert isinstance(network, ResNetV2) and network.classes == 3


def test_a_picture_is_prepared_alike_from_file_and_memory(run, tmp_path):
    prepare = bitdoc.load(run).preprocess
    picture = drawn("circle", np.random.default_rng(0))
    picture.save(tmp_path / "1.png")
    x = prepare(tmp_path / "1.png")
    assert x.shape == (3, 32, 32) and x.min() >= -1 and x.max() <= 1
    assert torch.equal(prepare(picture), x) and torch.equal(prepare(np.asarray(picture)), x)
    with pytest.raises(ValueError, match="expected a file, a Pillow picture, or an array"):
        prepare(np.zeros((4, 4)))


def test_a_turned_picture_is_held_upright(run, tmp_path):
    prepare = bitdoc.load(run).preprocess
    picture, exif = drawn("triangle", np.random.default_rng(0)), Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "1.png", exif=exif)
    assert torch.equal(prepare(tmp_path / "1.png"), prepare(picture))


@pytest.mark.parametrize("fault", ["none", "empty", "cut", "altered", "no classes"])
def test_what_is_no_run_is_refused(run, tmp_path, tiny, fault):
    file = run / bundle.NETWORK
    raw = file.read_bytes()
    if fault == "none":
        file.unlink()
    elif fault == "no classes":
        exchange.save(tiny, file, exchange.Passport("R14x0.125", side=32))
    else:
        file.write_bytes({"empty": b"", "cut": raw[:-100], "altered": raw[:-1] + bytes([raw[-1] ^ 1])}[fault])
    with pytest.raises(WeightsError) as error:
        bitdoc.load(run)
    assert str(run) in str(error.value) and "\n" not in str(error.value)


def test_an_earlier_run_keeps_its_files(run):
    old = (run / bundle.NETWORK).read_bytes()
    for number in (1, 2):
        with bundle.made(run, "probe") as folder:
            (folder / bundle.NETWORK).write_bytes(b"new")
        assert (run / bundle.NETWORK).read_bytes() == b"new" and not folder.exists()
        assert (run.with_name("run-1") / bundle.NETWORK).read_bytes() == old
        assert run.with_name(f"run-{number}").is_dir()


def test_a_run_that_fails_leaves_the_earlier_one(run):
    def fail():
        with bundle.made(run, "probe") as folder:
            (folder / bundle.NETWORK).write_bytes(b"half")
            raise OSError("no")

    with pytest.raises(OSError, match="no"):
        fail()
    assert bitdoc.load(run).classes == tuple("abcde")


def test_a_place_that_cannot_be_written_to_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for target in (tmp_path / "file" / "run", tmp_path / "file" / "deeper" / "run"):
        with pytest.raises(Refused, match="cannot write to .*file, where"):
            bundle.check_place(target)
    bundle.check_place(tmp_path / "new" / "run")


def test_a_run_does_not_take_the_place_of_pictures(tmp_path):
    (tmp_path / "run").mkdir()
    bundle.check_place(tmp_path / "run")
    (tmp_path / "run" / "1.png").write_bytes(b"")
    with pytest.raises(Refused, match="is there and is no run"):
        bundle.check_place(tmp_path / "run")
