"""The safetensors format against its own library, both ways, and against files that are none."""

from __future__ import annotations

import json

import pytest
import torch

from bitdoc.exchange import tensorfile
from bitdoc.network.weights import WeightsError

safetensors = pytest.importorskip("safetensors.torch")

TENSORS = {
    "b": torch.arange(6, dtype=torch.float64).reshape(2, 3),
    "a": torch.randn(3, 1, 2).transpose(0, 2),
    "h": torch.randn(5).half(),
    "g": torch.randn(2, 2).bfloat16(),
    "one": torch.tensor(0.5),
    "none": torch.empty(0, 3),
}


def test_its_own_library_reads_what_is_written(tmp_path):
    tensorfile.write(tmp_path / "x.safetensors", TENSORS, {"license": "MIT", "classes": '["ä"]'})
    found = safetensors.load_file(tmp_path / "x.safetensors")
    assert found.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name
    with safetensors.safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert file.metadata() | {"sha256": ""} == {"format": "pt", "license": "MIT", "classes": '["ä"]', "sha256": ""}


def test_what_its_own_library_writes_is_read(tmp_path):
    plain = {name: value.contiguous() for name, value in TENSORS.items()}
    safetensors.save_file(plain, tmp_path / "x.safetensors", {"format": "pt", "who": "they"})
    found, said = tensorfile.read(tmp_path / "x.safetensors")
    assert said == {"format": "pt", "who": "they"}
    assert found.keys() == plain.keys()
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in plain.items())


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in "xy":
        tensorfile.write(tmp_path / name, TENSORS, {"b": "1", "a": "2"})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["x", "y"]


def test_a_flipped_bit_is_found_and_a_cut_file_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    tensorfile.write(path, TENSORS, {"license": "MIT"})
    whole = path.read_bytes()
    for place in (-1, -40, whole.index(b"MIT")):
        raw = bytearray(whole)
        raw[place] ^= 1
        path.write_bytes(raw)
        with pytest.raises(WeightsError, match="is altered: its content has another SHA-256"):
            tensorfile.read(path)
    for length in (0, 5, 20, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match=r"is cut|cannot be read"):
            tensorfile.read(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(WeightsError, match="1 bytes that are no tensor"):
        tensorfile.read(path)


def raw(header: object, data: bytes = b"\0" * 8) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"PK\x03\x04 an archive, long enough to be one", "is cut, or no safetensors file"),
        (raw(b"no json at all"), "has a header that cannot be read"),
        (raw([1, 2]), "has a header that cannot be read"),
        (raw({"a": 3}), "has a header that cannot be read"),
        (raw({"a": ENTRY | {"shape": "ab"}}), "has a header that cannot be read"),
        (
            raw(b'{"a": ' + json.dumps(ENTRY).encode() + b', "a": ' + json.dumps(ENTRY).encode() + b"}"),
            "cannot be read",
        ),
        (raw(b"[" * 60_000), "has a header that cannot be read"),
        (raw({"a": ENTRY | {"dtype": "I64"}}), "'a' holds I64; expected weights in F64, F32, F16, BF16"),
        (raw({"a": ENTRY | {"shape": [3]}}), "'a' does not lie where its header says"),
        (raw({"a": ENTRY | {"shape": [-1, -2]}}), "'a' does not lie where its header says"),
        (raw({"a": ENTRY | {"data_offsets": [4, 12]}}), "'a' does not lie where its header says"),
        (raw({"a": ENTRY, "b": ENTRY}), "'b' does not lie where its header says"),
        (raw({"a": ENTRY | {"shape": [2**40], "data_offsets": [0, 2**42]}}), "is cut"),
    ],
)
def test_what_is_no_sound_file_is_refused_in_a_line(content, part, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match=part) as error:
        tensorfile.read(tmp_path / "x.safetensors")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(WeightsError, match=r"cannot read the weights file .*x\.safetensors: No such file"):
        tensorfile.read(tmp_path / "x.safetensors")


def test_what_is_not_finite_is_not_written(tmp_path):
    with pytest.raises(WeightsError, match="a has values that are not finite"):
        tensorfile.write(tmp_path / "x", {"a": torch.tensor([float("nan")])}, {})
    assert not list(tmp_path.iterdir())
