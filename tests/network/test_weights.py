"""Weights files: names, layout, every way a file can be wrong, and downloads from a server that misbehaves."""

from __future__ import annotations

import errno
import http.server
import io
import os
import pickle
import re
import threading
import tracemalloc
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bitdoc.network import npz, weights
from bitdoc.network.resnet import OFFICIAL, build
from bitdoc.network.weights import ModelName, WeightsError
from bitdoc.records import files

ROOT = "resnet/root_block/standardized_conv2d/kernel"
NAME = "BiT-M-R14x0.125"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch) -> Path:
    """No test sees the user's cache, nor the network beyond this machine."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("BITDOC_CACHE", str(cache))
    monkeypatch.setenv("BITDOC_WEIGHTS_URL", "http://127.0.0.1:9")  # the discard port: nobody answers
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    return cache


@pytest.fixture
def saved(tiny, tmp_path) -> Path:
    path = tmp_path / f"{NAME}.npz"
    weights.save(tiny, path)
    return path


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def message(error: pytest.ExceptionInfo) -> str:
    """The error's text, which must be one line."""
    text = str(error.value)
    assert "\n" not in text
    return text


class TestNames:
    @pytest.mark.parametrize(
        ("name", "parts"),
        [
            ("BiT-M-R50x1", ("M", "R50x1", "")),
            ("BiT-S-R50x3", ("S", "R50x3", "")),
            ("BiT-M-R50x1-ILSVRC2012", ("M", "R50x1", "ILSVRC2012")),
            ("BiT-T-R26x0.5", ("T", "R26x0.5", "")),
            ("BiT-M-R101x3-run0-dsprites-xpos", ("M", "R101x3", "run0-dsprites-xpos")),
        ],
    )
    def test_parse_and_back(self, name, parts):
        model = ModelName.parse(name)
        assert (model.upstream, model.arch, model.suffix) == parts
        assert str(model) == name
        assert model.file == weights.model_file(name) == f"{name}.npz"

    @pytest.mark.parametrize(
        "name",
        [
            "R50x1",
            "BiT-X-R50x1",
            "BiT-M-R51x1",
            "BiT-M-",
            "BiT-M-R50x1-../x",
            "bit-m-r50x1",
            "BiT-M-R050x1",
            "BiT-M-R50x1-ü",
        ],
    )
    def test_unknown_names(self, name):
        with pytest.raises(WeightsError, match=re.escape(f"unknown model {name!r}")) as error:
            weights.find(name)
        message(error)

    def test_published_names_are_the_official_codes(self):
        assert len(weights.PUBLISHED) == 12
        assert {ModelName.parse(name).arch for name in weights.PUBLISHED} == set(OFFICIAL)


class TestLayout:
    def test_keys_of_the_official_files(self):
        keys = {weights.file_key(name) for name, _ in build("R14x0.125", 5).named_parameters()}
        expected = {ROOT, "resnet/group_norm/gamma", "resnet/group_norm/beta"}
        expected |= {"resnet/head/conv2d/kernel", "resnet/head/conv2d/bias"}
        for block in ("block1", "block2", "block3", "block4"):
            unit = f"resnet/{block}/unit01"
            expected |= {f"{unit}/{x}/standardized_conv2d/kernel" for x in ("a", "b", "c", "a/proj")}
            expected |= {f"{unit}/{x}/group_norm/{y}" for x in "abc" for y in ("gamma", "beta")}
        assert keys == expected

    def test_units_are_counted_from_one_with_two_digits(self):
        assert weights.file_key("stages.2.22.conv_b.weight") == "resnet/block3/unit23/b/standardized_conv2d/kernel"

    @pytest.mark.parametrize(
        "name", ["stages.0.0.conv_d.weight", "fc.weight", "norm.num_batches_tracked", "root.weight"]
    )
    def test_other_parameters_have_no_place(self, name):
        with pytest.raises(WeightsError, match="no place for"):
            weights.file_key(name)

    def test_kernels_are_stored_height_width_in_out(self, tiny, saved):
        arrays = np.load(saved)
        kernel = tiny.root.conv.weight.detach().numpy()
        assert arrays[ROOT].shape == (7, 7, 3, 8)
        assert all(arrays[ROOT][h, w, i, o] == kernel[o, i, h, w] for h, w, i, o in [(0, 1, 2, 3), (6, 2, 0, 7)])
        head = arrays["resnet/head/conv2d/kernel"]
        assert head.shape == (1, 1, 256, 5)
        assert head[0, 0, 17, 3] == tiny.head.weight[3, 17].item()

    def test_raw_weights_are_stored_not_standardized_ones(self, tiny, saved):
        assert abs(np.load(saved)[ROOT].mean() - 0.1) < 0.05


class TestRoundTrip:
    def test_single_precision_is_exact(self, tiny, saved):
        other = build("R14x0.125", 5)
        assert not same(other, tiny)
        weights.load_into(other, saved)
        assert same(other, tiny)

    def test_half_precision_is_read_into_single(self, tiny, tmp_path):
        weights.save(tiny, tmp_path / f"{NAME}.npz", dtype=np.float16)
        arrays = weights.read(tmp_path / f"{NAME}.npz")
        assert {a.dtype for a in arrays.values()} == {np.dtype(np.float16)}
        other = weights.load(NAME, directory=tmp_path)
        assert other.root.conv.weight.dtype == torch.float32
        for one, two in zip(tiny.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-6)

    def test_values_too_large_for_half_precision_are_refused(self, tiny, tmp_path):
        with torch.no_grad():
            tiny.head.bias[0] = 1e6
        with pytest.raises(
            WeightsError, match="resnet/head/conv2d/bias has values that are not finite in float16"
        ) as error:
            weights.save(tiny, tmp_path / "x.npz", dtype=np.float16)
        message(error)
        assert list(tmp_path.iterdir()) == []

    def test_same_weights_give_the_same_bytes(self, tiny, saved, tmp_path):
        weights.save(tiny, tmp_path / "again.npz")
        assert weights.sha256(saved) == weights.sha256(tmp_path / "again.npz")

    def test_numbered_names_are_read(self, tiny, saved):
        numbered = {}
        for number, (key, array) in enumerate(np.load(saved).items()):
            numbered[re.sub(r"(standardized_conv2d|group_norm)/", rf"\1_{number}/", key)] = array
        assert all(re.search(r"_\d+/", key) or "head" in key for key in numbered)
        np.savez(saved, **numbered)
        other = build("R14x0.125", 5)
        weights.load_into(other, saved)
        assert same(other, tiny)

    def test_two_numbers_of_one_name_are_refused(self, saved):
        arrays = dict(np.load(saved))
        arrays[ROOT.replace("conv2d/", "conv2d_3/")] = arrays[ROOT]
        with pytest.raises(WeightsError, match="differ only in the layer's number") as error:
            weights.load_into(build("R14x0.125", 5), arrays)
        message(error)

    def test_batch_norm_networks_keep_their_running_statistics(self, tmp_path):
        model, other = (build("R14x0.125", 5, norm_kind="batch", standardized=False) for _ in range(2))
        model(torch.randn(4, 3, 32, 32))
        weights.save(model, tmp_path / "x.npz")
        assert "resnet/block2/unit01/b/batch_norm/moving_variance" in weights.read(tmp_path / "x.npz")
        weights.load_into(other, tmp_path / "x.npz")
        x = torch.randn(2, 3, 32, 32)
        torch.testing.assert_close(other.eval()(x), model.eval()(x))
        with pytest.raises(WeightsError, match="missing: resnet/block1/unit01/a/group_norm/gamma"):
            weights.load_into(build("R14x0.125", 5), tmp_path / "x.npz")


class TestLoad:
    def test_keeps_the_upstream_head_by_default(self, tiny, saved):
        model = weights.load(NAME, directory=saved.parent)
        assert same(model, tiny)
        assert not model.training
        x = torch.randn(2, 3, 32, 32)
        torch.testing.assert_close(model(x), tiny(x))

    @pytest.mark.parametrize("classes", [5, 10])
    def test_a_new_head_is_zero(self, tiny, saved, classes):
        model = weights.load(NAME, classes=classes, directory=saved.parent)
        assert torch.equal(model(torch.randn(2, 3, 32, 32)), torch.zeros(2, classes))
        assert torch.equal(model.norm.weight, tiny.norm.weight)
        assert all(p.requires_grad for p in model.parameters())

    def test_no_head(self, tiny, saved):
        x = torch.randn(2, 3, 32, 32)
        torch.testing.assert_close(weights.load(NAME, 0, saved.parent)(x), tiny.features(x))

    def test_draws_no_random_numbers(self, saved):
        state = torch.random.get_rng_state()
        weights.load(NAME, 10, saved.parent)
        assert torch.equal(state, torch.random.get_rng_state())

    def test_a_file_without_a_head(self, saved):
        arrays = {key: array for key, array in np.load(saved).items() if "head" not in key}
        np.savez(saved, **arrays)
        assert weights.load(NAME, 3, saved.parent).head.weight.shape == (3, 256)
        with pytest.raises(WeightsError, match="lacks a resnet/head/conv2d/kernel") as error:
            weights.load(NAME, directory=saved.parent)
        message(error)


def change(path: Path, **changes: np.ndarray | None) -> None:
    """Rewrite a file with some tensors exchanged, added, or (None) left out."""
    arrays = dict(np.load(path))
    for key, array in changes.items():
        arrays.pop(key, None)
        if array is not None:
            arrays[key] = array
    np.savez(path, **arrays)


class TestMisfits:
    """A file that is sound, but not this network's. The network stays as it was."""

    def refused(self, path: Path, model: torch.nn.Module, head: str = "keep") -> str:
        before = {key: value.clone() for key, value in model.state_dict().items()}
        with pytest.raises(WeightsError) as error:
            weights.load_into(model, path, head)
        assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
        return message(error)

    def test_missing_tensor(self, saved, tiny):
        change(saved, **{ROOT: None})
        text = self.refused(saved, tiny)
        assert text == f"{saved} does not fit R14x0.125; missing: {ROOT}"

    def test_extra_tensor(self, saved, tiny):
        change(saved, **{"optimizer/step": np.zeros(1)})
        assert "unexpected: optimizer/step" in self.refused(saved, tiny)

    def test_misshaped_tensor(self, saved, tiny):
        change(saved, **{ROOT: np.zeros((3, 3, 3, 8), np.float32)})
        assert f"{ROOT} has shape (3, 3, 3, 8), expected (7, 7, 3, 8)" in self.refused(saved, tiny)

    def test_another_width(self, saved):
        text = self.refused(saved, build("R14x0.25", 5))
        assert "does not fit R14x0.25; the file seems to be R14x0.125" in text
        assert f"{ROOT} has shape (7, 7, 3, 8), expected (7, 7, 3, 16)" in text
        assert re.search(r" and \d+ more", text)

    def test_another_depth(self, saved):
        text = self.refused(saved, build("R26x0.125", 5))
        assert "the file seems to be R14x0.125; missing: resnet/block1/unit02/a/group_norm/gamma" in text

    def test_another_head(self, saved):
        text = self.refused(saved, build("R14x0.125", 10))
        assert text == f"{saved} has a head of 5 classes, the model of 10; use head='new'"

    @pytest.mark.parametrize("key", ["bias", "kernel"])
    @pytest.mark.parametrize("shape", [(), (0,), (5, 1), (1, 1, 7, 5), (1, 1, 1, 256, 5)])
    def test_a_head_of_another_shape_is_misshaped(self, saved, tiny, key, shape):
        name = f"resnet/head/conv2d/{key}"
        change(saved, **{name: np.zeros(shape, np.float32)})
        text = self.refused(saved, tiny)
        assert f"{name} has shape {shape}, expected" in text or "a head of 0 classes, the model of 5" in text

    def test_a_new_head_needs_the_whole_body(self, saved, tiny):
        change(saved, **{"resnet/group_norm/beta": None, "resnet/head/conv2d/bias": None})
        text = self.refused(saved, tiny, head="new")
        assert "missing: resnet/group_norm/beta" in text
        assert "resnet/head" not in text

    def test_what_a_foreign_file_seems_to_be(self):
        assert npz.guess_architecture({"conv1.weight": np.zeros(3)}) is None

    def test_unknown_head(self, saved, tiny):
        with pytest.raises(ValueError, match="unknown head 'zero'"):
            weights.load_into(tiny, saved, "zero")


def damaged(raw: bytes, how: str) -> bytes:
    if how == "encrypted":  # as the flags of all parts say, here and in the list at the end
        raw = bytearray(raw)
        for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            place = raw.find(mark)
            while place >= 0:
                raw[place + offset] |= 1
                place = raw.find(mark, place + 1)
        return bytes(raw)
    middle = len(raw) // 2
    return {
        "empty": b"",
        "truncated": raw[:middle],
        "flipped": raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :],
    }[how]


def member(array: bytes, **options) -> bytes:
    """An archive whose one tensor has the bytes given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        archive.writestr(f"{ROOT}.npy", array)
    return buffer.getvalue()


def header(text: str, content: bytes = b"\0" * 64, version: int = 1) -> bytes:
    """The bytes of an ``.npy`` file with any text for a header."""
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + content


def shaped(shape: str, kind: str = "<f4", content: bytes = b"\0" * 64) -> bytes:
    return member(header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}\n", content))


def packed_zeros(size: int) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({size // 4},)}}\n"
    return member(header(text, bytes(size)), compression=zipfile.ZIP_DEFLATED, compresslevel=9)


def twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings(action="ignore"):
        for _ in range(2):
            archive.writestr(f"{ROOT}.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (16,)}\n"))
    return buffer.getvalue()


LYING = {
    "shape-too-large": (
        lambda: shaped("(10**15,)".replace("10**15", str(10**15))),
        "has 64 bytes, which are no (1000000000000000,)",
    ),
    "shape-too-large-in-parts": (lambda: shaped("(100000, 100000, 100000)"), "which are no (100000, 100000, 100000)"),
    "shape-too-small": (lambda: shaped("(15,)"), "has 64 bytes, which are no (15,) of float32"),
    "shape-of-zero": (lambda: shaped("(0,)"), "which are no (0,)"),
    "shape-below-zero": (lambda: shaped("(-4, -4)"), "which are no (-4, -4)"),
    "another-type": (lambda: shaped("(16,)", "<f2"), "which are no (16,) of float16"),
    "shape-of-words": (lambda: shaped("('a',)"), "has a header that cannot be read"),
    "no-shape": (
        lambda: member(header("{'descr': '<f4', 'fortran_order': False}\n")),
        "has a header that cannot be read",
    ),
    "no-header": (lambda: member(header("what is this?\n")), "has a header that cannot be read"),
    "nested-header": (lambda: member(header("(" * 9000)), "has a header that cannot be read"),
    "long-header": (lambda: member(header("{'descr': " + " " * 60_000)), "has a header that cannot be read"),
    "a-program": (lambda: member(header("__import__('os').getcwd()\n")), "has a header that cannot be read"),
    "cut-header": (lambda: member(b"\x93NUMPY\x01"), "has a header that cannot be read"),
    "version-nine": (lambda: member(header("{}", version=9)), "has a header that cannot be read"),
    "pickled": (lambda: shaped("(8,)", "|O"), "holds pickled objects"),
    "long-doubles": (
        lambda: shaped("(4,)", "<f16"),
        f"holds {np.dtype('<f16').name}; expected float16, float32 or float64",
    ),
    "complex": (lambda: shaped("(8,)", "<c8"), "is no array of floating-point numbers"),
    "text": (lambda: shaped("(16,)", "|S4"), "is no array of floating-point numbers"),
    "records": (lambda: shaped("(16,)", "|V4"), "is no array of floating-point numbers"),
    "no-array": (lambda: member(b"PK or anything"), "is no array of floating-point numbers"),
    "unpacks-without-end": (lambda: packed_zeros(4 << 20), "which weights never do"),
    "two-of-one-name": (twice, "holds two tensors called"),
    "encrypted": (lambda: damaged(shaped("(16,)"), "encrypted"), "is encrypted"),
    "cut": (lambda: damaged(shaped("(16,)"), "truncated"), "is truncated or damaged"),
    "only-the-start": (lambda: b"PK\x03\x04", "is truncated or damaged"),
    "packed-in-an-unknown-way": (
        lambda: shaped("(16,)").replace(b"PK\x01\x02\x14\x03\x14\0\0\0\0\0", b"PK\x01\x02\x14\x03\x14\0\0\0\x63\0"),
        "is truncated or damaged",
    ),
}


SOUND = {
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "column-by-column": np.asfortranarray,
    "double": lambda a: a.astype(np.float64),
    "double-big-endian": lambda a: a.astype(">f8"),
    "upside-down": lambda a: a[::-1].copy()[::-1],
}

UNSOUND = {
    "nan": np.float32("nan"),
    "infinite": np.float32("inf"),
    "minus-infinite": np.float64("-inf"),
    "too-large-for-float32": np.float64("1e300"),
}


class TestValues:
    """Tensors of the right name and shape, in forms that PyTorch does not take as they are."""

    @pytest.mark.parametrize("kind", SOUND)
    @pytest.mark.parametrize("from_file", [True, False])
    def test_other_forms_of_the_same_numbers(self, saved, tiny, kind, from_file):
        arrays = {key: SOUND[kind](array) for key, array in np.load(saved).items()}
        np.savez(saved, **arrays)
        other = build("R14x0.125", 5)
        weights.load_into(other, saved if from_file else arrays)
        assert same(other, tiny)

    @pytest.mark.parametrize("kind", UNSOUND)
    @pytest.mark.parametrize("key", [ROOT, "resnet/head/conv2d/bias"])
    @pytest.mark.parametrize("from_file", [True, False])
    def test_values_that_are_not_finite_are_refused(self, saved, tiny, kind, key, from_file):
        arrays = dict(np.load(saved))
        arrays[key] = arrays[key].astype(type(UNSOUND[kind]))
        arrays[key].flat[-1] = UNSOUND[kind]
        np.savez(saved, **arrays)
        before = {name: value.clone() for name, value in tiny.state_dict().items()}
        with pytest.raises(WeightsError, match=f"has values that are not finite in {key}; it is of no use") as error:
            weights.load_into(tiny, saved if from_file else arrays)
        message(error)
        assert all(torch.equal(before[name], value) for name, value in tiny.state_dict().items())

    @pytest.mark.parametrize("kind", [np.longdouble, np.int32, np.complex64, object])
    def test_other_numbers_are_refused_and_the_model_is_unchanged(self, saved, tiny, kind):
        arrays = dict(np.load(saved))
        last = list(arrays)[-1]
        arrays[last] = arrays[last].astype(kind)
        before = {name: value.clone() for name, value in tiny.state_dict().items()}
        with pytest.raises(WeightsError, match="the given dictionary: .*(floating-point|expected float16)") as error:
            weights.load_into(tiny, arrays)
        message(error)
        assert all(torch.equal(before[name], value) for name, value in tiny.state_dict().items())


class TestDamage:
    """A file that is not sound."""

    @pytest.mark.parametrize("kind", LYING)
    def test_what_an_archive_says_is_checked_before_memory_is_asked_for(self, tmp_path, monkeypatch, kind):
        make, told = LYING[kind]
        monkeypatch.setattr("bitdoc.network.npz._ALWAYS", 1 << 20)
        (tmp_path / "x.npz").write_bytes(make())
        tracemalloc.start()
        text = self.refused(tmp_path / "x.npz")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert told in text
        assert peak < 3 << 20

    def test_every_flipped_bit_is_seen_or_changes_nothing(self, tmp_path):
        """Also in headers and names, which a checksum at the end of a short reading never reaches."""
        path = tmp_path / "x.npz"
        np.savez(path, **{ROOT: np.arange(4, dtype=np.float32), "a": np.ones((2, 2), np.float16)})
        raw, whole, unseen = path.read_bytes(), weights.read(path), 0
        bits = range(0, 8 * len(raw), 5)
        for bit in bits:
            flipped = bytearray(raw)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            try:
                found = weights.read(path)
            except WeightsError:
                continue
            unseen += 1
            # A tensor lost or renamed is what load_into refuses.
            assert found.keys() != whole.keys() or all(np.array_equal(found[key], whole[key]) for key in whole), bit
        assert 0 < unseen < len(bits) / 3, "dates and the like are all that may change"

    def refused(self, path: Path) -> str:
        with pytest.raises(WeightsError) as error:
            weights.read(path)
        text = message(error)
        assert str(path) in text
        return text

    @pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
    def test_truncated(self, saved, share):
        data = saved.read_bytes()
        saved.write_bytes(data[: int(len(data) * share)])
        assert "truncated or damaged; delete it and download it again" in self.refused(saved)

    def test_a_flipped_bit(self, saved):
        data = bytearray(saved.read_bytes())
        data[len(data) // 2] ^= 1
        saved.write_bytes(data)
        assert "truncated or damaged" in self.refused(saved)

    def test_a_pickle_is_not_opened(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return (Path.touch, (tmp_path / "sprung",))

        (tmp_path / "x.npz").write_bytes(pickle.dumps(Trap()))
        assert "is a pickle" in self.refused(tmp_path / "x.npz")
        np.savez(tmp_path / "y.npz", **{ROOT: np.array([Trap()], dtype=object)})
        assert "holds pickled objects" in self.refused(tmp_path / "y.npz")
        assert not (tmp_path / "sprung").exists()

    def test_a_checkpoint_of_pytorch(self, tiny, tmp_path):
        torch.save(tiny.state_dict(), tmp_path / "bit.pth.tar")
        assert "no array of floating-point numbers" in self.refused(tmp_path / "bit.pth.tar")

    def test_whole_numbers(self, tmp_path):
        np.savez(tmp_path / "x.npz", a=np.arange(3))
        assert "'a' is no array of floating-point numbers" in self.refused(tmp_path / "x.npz")

    def test_other_files(self, tmp_path):
        for content, text in (
            (b"", "is empty"),
            (b"<html>", "is no .npz archive"),
            (b"\x93NUMPY", "is no .npz archive"),
        ):
            (tmp_path / "x.npz").write_bytes(content)
            assert text in self.refused(tmp_path / "x.npz")
        assert "No such file" in self.refused(tmp_path / "none.npz")
        self.refused(tmp_path)  # a folder


class TestFind:
    def test_order(self, own_cache, tmp_path, monkeypatch):
        monkeypatch.setattr(weights, "SHIPPED", tmp_path / "shipped")
        folders = [tmp_path / "given", tmp_path / "shipped", own_cache]
        for folder in folders:
            folder.mkdir(exist_ok=True)
            np.savez(folder / f"{NAME}.npz")
        for folder in folders:
            assert weights.find(NAME, tmp_path / "given").parent == folder
            (folder / f"{NAME}.npz").unlink()

    @pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "encrypted"])
    def test_a_damaged_file_is_passed_over_for_a_whole_one(self, own_cache, saved, capsys, damage):
        whole = own_cache / saved.name
        whole.write_bytes(saved.read_bytes())
        saved.write_bytes(damaged(saved.read_bytes(), damage))
        assert weights.find(NAME, saved.parent) == whole
        assert f"{saved} is truncated or altered and is passed over" in capsys.readouterr().err
        whole.unlink()
        with pytest.raises(
            WeightsError, match=f"{saved} is truncated or altered; delete it, and copy or make it again"
        ):
            weights.find(NAME, saved.parent)

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(WeightsError, match="no folder .* to look for weights in") as error:
            weights.find("BiT-M-R50x1", tmp_path / "typo")
        message(error)

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("BiT-L-R152x4", "BiT-L was never released"),
            ("BiT-M-R26x1", "not among the published models"),
            ("BiT-T-R14x0.125", "bitdoc ships"),
        ],
    )
    def test_what_cannot_be_downloaded(self, name, why, own_cache):
        with pytest.raises(WeightsError, match=why) as error:
            weights.find(name)
        assert str(own_cache) in message(error)

    def test_shipped_models_load(self):
        for name in weights.shipped():
            model = weights.load(name)
            assert torch.isfinite(model(torch.rand(1, 3, 64, 64) * 2 - 1)).all()


PAYLOAD = io.BytesIO()
np.savez(PAYLOAD, **{ROOT: np.random.default_rng(0).normal(size=(7, 7, 3, 800))})


@pytest.fixture
def server(monkeypatch):
    """A server on this machine; its attribute ``mode`` says how it treats the next request."""
    state = SimpleNamespace(mode="good", requests=[], payload=PAYLOAD.getvalue())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state.requests.append(self.path)
            if state.mode == "missing":
                return self.send_error(404)
            payload = b"<html>Please log in</html>" if state.mode == "login" else state.payload
            self.send_response(200)
            if state.mode != "no length":
                self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload[: len(payload) // 2] if state.mode == "cut off" else payload)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        monkeypatch.setenv("BITDOC_WEIGHTS_URL", f"http://127.0.0.1:{httpd.server_port}/bit_models/")
        yield state
        httpd.shutdown()


class TestDownload:
    NAME = "BiT-M-R50x1"

    def refused(self, cache: Path) -> str:
        with pytest.raises(WeightsError) as error:
            weights.find(self.NAME)
        assert list(cache.iterdir()) == []  # nothing half-written
        return message(error)

    @pytest.mark.parametrize("mode", ["good", "no length"])
    def test_to_the_cache_and_only_once(self, server, own_cache, mode):
        server.mode = mode
        path = weights.find(self.NAME)
        assert path == own_cache / "BiT-M-R50x1.npz"
        assert path.read_bytes() == server.payload
        assert weights.find(self.NAME) == path
        assert server.requests == ["/bit_models/BiT-M-R50x1.npz"]
        assert [p.name for p in own_cache.iterdir()] == [path.name]

    def test_fine_tuned_models_too(self, server):
        weights.find("BiT-M-R50x1-ILSVRC2012")
        assert server.requests == ["/bit_models/BiT-M-R50x1-ILSVRC2012.npz"]

    @pytest.mark.parametrize("suffix", ["run0-caltech101", "run2-dsprites-xpos", "run1-smallnorb-azimuth"])
    def test_models_fine_tuned_on_vtab_are_in_a_folder_of_their_own(self, server, own_cache, suffix):
        path = weights.find(f"BiT-M-R50x1-{suffix}")
        assert server.requests == [f"/bit_models/vtab/BiT-M-R50x1-{suffix}.npz"]
        assert path == own_cache / f"BiT-M-R50x1-{suffix}.npz"

    def test_the_cache_folder_is_made(self, server, own_cache, monkeypatch):
        monkeypatch.setenv("BITDOC_CACHE", str(own_cache / "a" / "b"))
        assert weights.find(self.NAME).parent == own_cache / "a" / "b"

    def test_not_found(self, server, own_cache):
        server.mode = "missing"
        assert "/bit_models/BiT-M-R50x1.npz: the server answered 404" in self.refused(own_cache)

    def test_cut_off(self, server, own_cache):
        server.mode = "cut off"
        size = len(server.payload)
        assert f"only {size // 2:,} of {size:,} bytes arrived" in self.refused(own_cache)

    def test_a_page_instead_of_a_file(self, server, own_cache):
        server.mode = "login"
        assert "what arrived is not a .npz file" in self.refused(own_cache)

    def test_no_network(self, own_cache):
        text = self.refused(own_cache)
        assert "download failed" in text
        assert str(own_cache) in text  # where to put the file by hand

    def test_interrupted(self, server, own_cache, monkeypatch):
        def interrupt(self, amount):
            raise KeyboardInterrupt

        monkeypatch.setattr(files.tqdm, "update", interrupt)
        with pytest.raises(KeyboardInterrupt):
            weights.find(self.NAME)
        assert list(own_cache.iterdir()) == []

    def test_an_earlier_file_survives_a_failed_download(self, server, own_cache):
        target = own_cache / "x.npz"
        target.write_bytes(b"old")
        server.mode = "cut off"
        with pytest.raises(files.FileError):
            files.download(os.environ["BITDOC_WEIGHTS_URL"] + "x.npz", target)
        assert target.read_bytes() == b"old"
        server.mode = "good"
        files.download(os.environ["BITDOC_WEIGHTS_URL"] + "x.npz", target)
        assert target.read_bytes() == server.payload

    @pytest.mark.parametrize("damage", ["truncated", "altered"])
    def test_a_damaged_file_is_named_and_downloaded_again(self, server, own_cache, capsys, damage):
        raw = bytearray(server.payload)
        raw[len(raw) // 2] ^= 255
        target = own_cache / "BiT-M-R50x1.npz"
        target.write_bytes(bytes(raw) if damage == "altered" else server.payload[:5000])
        server.mode = "cut off"
        with pytest.raises(WeightsError, match="bytes arrived"):
            weights.find(self.NAME)
        assert f"{target} is truncated or altered and is passed over" in capsys.readouterr().err
        assert target.read_bytes() != server.payload and len(list(own_cache.iterdir())) == 1, "the old one stays"
        server.mode = "good"
        assert weights.find(self.NAME) == target and target.read_bytes() == server.payload

    def test_a_damaged_file_of_the_user_is_left_alone(self, server, own_cache, tmp_path):
        mine = tmp_path / "mine" / "BiT-M-R50x1.npz"
        mine.parent.mkdir()
        mine.write_bytes(b"PK\x03\x04half")
        assert weights.find(self.NAME, mine.parent) == own_cache / mine.name
        assert mine.read_bytes() == b"PK\x03\x04half"

    def test_progress_goes_to_a_terminal_only(self, server, capfd):
        weights.find(self.NAME)
        assert capfd.readouterr() == ("", "")


class TestFullDisk:
    @staticmethod
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @pytest.mark.parametrize("where", ["numpy.savez", "os.replace"])
    def test_saving(self, tiny, saved, monkeypatch, where):
        before = saved.read_bytes()
        monkeypatch.setattr(where, self.full)
        with pytest.raises(WeightsError, match="the disk is full: could not write") as error:
            weights.save(tiny, saved)
        assert str(saved) in message(error)
        assert saved.read_bytes() == before
        assert list(saved.parent.iterdir()) == [saved]

    def test_downloading(self, server, own_cache, monkeypatch):
        monkeypatch.setattr("os.replace", self.full)
        with pytest.raises(WeightsError, match="the disk is full") as error:
            weights.find("BiT-M-R50x1")
        message(error)
        assert list(own_cache.iterdir()) == []

    def test_a_folder_that_cannot_be_written(self, tiny, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(WeightsError, match="cannot write") as error:
            weights.save(tiny, tmp_path / "file" / "x.npz")
        message(error)


def test_what_is_at_hand_is_what_would_be_found(tiny, tmp_path, monkeypatch):
    """A damaged file in the first folder is passed over by both."""
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
    first, name = tmp_path / "first", "BiT-T-R14x0.125"
    weights.save(tiny, tmp_path / "cache" / f"{name}.npz")
    first.mkdir()
    whole = (tmp_path / "cache" / f"{name}.npz").read_bytes()
    (first / f"{name}.npz").write_bytes(whole[: len(whole) // 2])
    assert weights.at_hand(name, first) == weights.find(name, first) == tmp_path / "cache" / f"{name}.npz"
    assert weights.at_hand("BiT-T-R14x0.25", first) is None
