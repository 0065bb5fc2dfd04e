"""Files in the safetensors format: a header in JSON that says where each tensor lies, then the tensors.

The format has no checksum, and most flipped bits would become weights or names; files written here carry a SHA-256 of
their tensors and of the rest of their header, and are checked by it. Any safetensors library reads them. Specification:
https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bitdoc.network.weights import WeightsError
from bitdoc.records.files import FileError, written_atomically

_KINDS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_NAMES = {dtype: name for name, dtype in _KINDS.items()}
_LONGEST = 100_000_000  # bytes of a header, by the specification
#: Under this name the header of a file written here holds the hash of all the rest.
DIGEST = "sha256"


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read all tensors, on the CPU, and the header's text pairs.

    Raises
    ------
    WeightsError
        If there is no such file, it is cut, damaged, or none of the format, or holds anything but floating-point
        numbers.
    """
    try:
        return _read(path)
    except OSError as error:
        raise WeightsError(f"cannot read the weights file {path}: {error.strerror}") from None
    except MemoryError:
        raise WeightsError(f"{path} does not fit into this machine's memory") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path} has a header that cannot be read; it is damaged, or no safetensors file") from None


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    size, digest = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, _LONGEST):
            raise WeightsError(f"{path} is cut, or no safetensors file")
        header = json.loads(file.read(length), object_pairs_hook=_once)
        said = {str(key): str(text) for key, text in header.pop("__metadata__", {}).items()}
        announced = said.pop(DIGEST, "")
        tensors, place = {}, 0
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            dtype, shape = _kind(entry["dtype"], f"{path}: {name!r}"), [int(side) for side in entry["shape"]]
            begin, end = entry["data_offsets"]
            if begin != place or end - begin != prod(shape) * dtype.itemsize or min(shape, default=0) < 0:
                raise WeightsError(f"{path}: {name!r} does not lie where its header says; the file is damaged")
            if end > size - 8 - length:
                raise WeightsError(f"{path} is cut: {size:,} bytes, expected {8 + length + end:,} or more")
            raw, place = bytearray(file.read(end - begin)), end
            digest.update(raw)
            tensors[name] = (torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)).reshape(shape)
        if place != size - 8 - length:
            raise WeightsError(f"{path} has {size - 8 - length - place:,} bytes that are no tensor; it is damaged")
    digest.update(_canonical(said, header))
    if announced and announced != digest.hexdigest():
        raise WeightsError(f"{path} is altered: its content has another SHA-256 than its header says; get it again")
    return tensors, said | ({DIGEST: announced} if announced else {})


def _canonical(said: Mapping[str, str], entries: Mapping[str, Any]) -> bytes:
    """What of the header is under the hash, whatever the order and the spaces in which it was written."""
    return json.dumps([said, entries], sort_keys=True).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _kind(name: str, where: str) -> torch.dtype:
    if name not in _KINDS:
        raise WeightsError(f"{where} holds {name}; expected weights in {', '.join(_KINDS)}")
    return _KINDS[name]


def write(path: Path, tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> None:
    """Write tensors and the header's text pairs, whole or not at all; the same content gives the same bytes.

    Raises
    ------
    WeightsError
        If a value is not finite, or the file cannot be written.
    """
    digest, entries, place = hashlib.sha256(), {}, 0
    for name, raw in _raw(tensors):
        value, size = tensors[name], raw.numel()
        if not value.isfinite().all():
            raise WeightsError(f"{name} has values that are not finite; nothing was written")
        digest.update(raw.numpy().data)
        shape, offsets = list(value.shape), [place, place + size]
        entries[name] = {"dtype": _NAMES[value.dtype], "shape": shape, "data_offsets": offsets}
        place += size
    said = {"format": "pt", **said}  # PyTorch's libraries ask for the first
    digest.update(_canonical(said, entries))
    header = {"__metadata__": {**said, DIGEST: digest.hexdigest()}, **entries}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that tensors begin at a multiple of eight
    try:
        with written_atomically(path) as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for _, raw in _raw(tensors):
                file.write(raw.numpy().data)
    except FileError as error:
        raise WeightsError(str(error)) from None


def _raw(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Each tensor's bytes: large numbers first, so that each begins at a multiple of its size, then by name."""
    for name in sorted(tensors, key=lambda name: (-tensors[name].itemsize, name)):
        yield name, tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8)
