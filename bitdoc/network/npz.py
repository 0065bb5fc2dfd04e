"""Read an ``.npz`` archive that may be anything: by its checksums, never unpickled, never beyond its size; fit it."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from bitdoc.network.resnet import DEPTHS

ZIP = b"PK\x03\x04"  # what every .npz file starts with
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
#: Weights hardly get smaller by packing, except where they are zeros: a head, say. What unpacks further is none.
_TIGHTEST, _ALWAYS = 20, 1 << 28


class ArchiveError(ValueError):
    """An archive that cannot be read, with one line that says why."""


def read(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an archive into memory, in the machine's byte order.

    Every byte passes the archive's checksums, and no memory is asked for before the sizes of all parts agree.

    Raises
    ------
    ArchiveError
        If there is no such file, or it is truncated, damaged, encrypted, packed beyond reason, a pickle, or holds
        anything but arrays of floating-point numbers.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise ArchiveError(f"cannot read the weights file {path}: {error.strerror}") from None
    if start != ZIP:
        kind = "is a pickle" if start[:1] == b"\x80" else "is empty" if not start else "is no .npz archive"
        raise ArchiveError(f"{path} {kind}; expected weights in the official .npz layout")
    try:
        with zipfile.ZipFile(path) as archive:
            return _arrays(archive, path)
    except ArchiveError:
        raise
    except MemoryError:
        raise ArchiveError(f"{path} does not fit into this machine's memory") from None
    except Exception:  # zipfile raises errors of many kinds on what is no sound archive
        raise ArchiveError(f"{path} is truncated or damaged; delete it and download it again") from None


def _arrays(archive: zipfile.ZipFile, path: Path) -> dict[str, np.ndarray]:
    members, packed = archive.infolist(), path.stat().st_size
    unpacked = sum(member.file_size for member in members)
    if any(member.flag_bits & 1 for member in members):
        raise ArchiveError(f"{path} is encrypted; expected weights in the official .npz layout")
    if unpacked > max(_TIGHTEST * packed, _ALWAYS):
        raise ArchiveError(f"{path} has {packed:,} bytes and would unpack to {unpacked:,}, which weights never do")
    arrays: dict[str, np.ndarray] = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name in arrays:
            raise ArchiveError(f"{path} holds two tensors called {name!r}")
        arrays[name] = native(_array(bytearray(archive.read(member)), f"{path}: {name!r}"), f"{path}: {name!r}")
    return arrays


def _array(raw: bytearray, where: str) -> np.ndarray:
    """The array in the bytes of an ``.npy`` file; it shares their memory."""
    if not raw.startswith(b"\x93NUMPY"):
        raise ArchiveError(f"{where} is no array of floating-point numbers, not BiT weights")
    file = io.BytesIO(raw[: 1 << 16])
    try:
        shape, fortran, dtype = _HEADERS[npy.read_magic(file)](file)
    except Exception:  # the header is Python's text, and fails in as many ways
        raise ArchiveError(f"{where} has a header that cannot be read; the file is damaged") from None
    if dtype.hasobject:
        raise ArchiveError(f"{where} holds pickled objects; expected plain arrays")
    size = len(raw) - file.tell()
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != size:
        raise ArchiveError(f"{where} has {size:,} bytes, which are no {shape} of {dtype}; the file is damaged")
    flat = np.frombuffer(raw, dtype, offset=file.tell())
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def native(array: np.ndarray, where: str) -> np.ndarray:
    """An array of floating-point numbers as PyTorch takes it: in the machine's byte order, row by row.

    Raises
    ------
    ArchiveError
        If it is anything else, or its numbers are longer than 64 bits.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        raise ArchiveError(f"{where} is no array of floating-point numbers, not BiT weights")
    if array.dtype.itemsize > 8:
        raise ArchiveError(f"{where} holds {array.dtype.name}; expected float16, float32 or float64")
    backwards = min(array.strides, default=0) < 0  # also along an axis of length 1, which PyTorch refuses as well
    return array.astype(array.dtype.newbyteorder("="), order="C", copy=backwards)


def guess_architecture(arrays: Mapping[str, np.ndarray]) -> str | None:
    """Architecture that a file's tensors belong to, such as ``"R50x3"``; None if they tell of none we know."""
    root = arrays.get("resnet/root_block/standardized_conv2d/kernel")
    units = {match.groups() for key in arrays if (match := re.match(r"resnet/block(\d)/(unit\d+)/", key))}
    blocks = tuple(sum(block == str(number) for block, _ in units) for number in (1, 2, 3, 4))
    depth = next((depth for depth, counts in DEPTHS.items() if counts == blocks), None)
    return None if root is None or root.ndim != 4 or depth is None else f"R{depth}x{root.shape[-1] / 64:g}"


def misfit(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple], arch: str, classes: int) -> str | None:
    """What is wrong with the arrays of a file for a network of ``arch`` with tensors of ``shapes``; None if nothing."""
    wrong = [key for key in shapes if key in arrays and arrays[key].shape != shapes[key]]
    missing, extra = [key for key in shapes if key not in arrays], [key for key in arrays if key not in shapes]
    if not (wrong or missing or extra):
        return None
    # A head of other classes, and no other shape: all but the last of its dimensions are the model's.
    heads = [key.startswith("resnet/head/") and arrays[key].shape[:-1] == shapes[key][:-1] for key in wrong]
    if not (missing or extra) and all(heads) and arrays[wrong[0]].ndim:
        return f"has a head of {arrays[wrong[0]].shape[-1]} classes, the model of {classes}; use head='new'"
    misshaped = [f"{key} has shape {arrays[key].shape}, expected {shapes[key]}" for key in wrong]
    kinds = (("missing: ", missing), ("unexpected: ", extra), ("", misshaped))
    parts = [text + first_few(names) for text, names in kinds if names]
    guess = guess_architecture(arrays)
    seems = f"; the file seems to be {guess}" if guess and guess != arch else ""
    return f"does not fit {arch}{seems}; {'; '.join(parts)}"


def first_few(names: list[str], count: int = 2) -> str:
    """``"a, b and 3 more"``."""
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
