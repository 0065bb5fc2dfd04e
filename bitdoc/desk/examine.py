"""Every picture opened once: its size, its contents' digest, and a thumbnail by which near-duplicates are known."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from bitdoc.data import pictures
from bitdoc.data.pictures import DataError
from bitdoc.records.files import FileError, cache_folder, written_atomically

#: Two pictures are near-duplicates if their thumbnails of 16 x 16 shades of grey correlate by more than the first
#: number, and their mean colors are no further apart than the second (of 255). Among 4,000 pictures of Tiny ImageNet no
#: two were that alike; of copies saved as JPEG of quality 30, or at half the size, more than 98 % were.
ALIKE, SHADE = 0.985, 6.0
_THUMB = 16
_ROWS = 1024  # pictures compared with all others at once


@dataclass(frozen=True)
class Seen:
    """What a picture turned out to be.

    Attributes
    ----------
    height, width : int
        In pixels, turned as the camera was held.
    digest : str
        SHA-256 of the file, in hexadecimal.
    thumb : bytes
        16 x 16 shades of grey, row by row, and the three means of its colors.
    """

    height: int
    width: int
    digest: str
    thumb: bytes


def see(path: Path) -> Seen:
    """Read a picture whole; :class:`~bitdoc.data.pictures.DataError` if that cannot be done."""
    pixels = pictures.read(path, turned=True)
    assert pixels is not None  # only a size that is asked for can be missed
    small = Image.fromarray(np.ascontiguousarray(pixels)).resize((_THUMB, _THUMB), Image.Resampling.BOX)
    thumb = small.convert("L").tobytes() + bytes(np.asarray(small).mean((0, 1)).round().astype(np.uint8))
    height, width = pixels.shape[:2]
    return Seen(height, width, hashlib.sha256(path.read_bytes()).hexdigest(), thumb)


def examine(paths: Sequence[Path], workers: int | None = None) -> list[Seen | str]:
    """See all pictures; in the place of one that cannot be read stands what is wrong with it.

    What was seen of a file is kept in the cache folder until the file's size or time changes.
    """
    known = _Known(paths)

    def one(path: Path) -> Seen | str:
        try:
            return known.of(path)
        except DataError as error:
            return str(error)
        except OSError as error:
            return f"{path} cannot be read: {error.strerror or error}"

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        every = tqdm(pool.map(one, paths), "look", len(paths), unit="picture", leave=False, disable=None)
        found = list(every)
    known.keep()
    return found


class _Known:
    """What was seen before of the files of one folder."""

    def __init__(self, paths: Sequence[Path]) -> None:
        folder = os.path.commonpath([path.absolute() for path in paths]) if paths else ""
        self.file = (
            cache_folder() / "looked" / f"{hashlib.sha256(folder.encode(errors='replace')).hexdigest()[:16]}.json"
        )
        self.before: dict[str, list] = {}
        self.now: dict[str, list] = {}
        with suppress(OSError, ValueError):
            told = json.loads(self.file.read_text(encoding="utf-8"))
            self.before = told if isinstance(told, dict) else {}

    def of(self, path: Path) -> Seen:
        """What is seen of a file; read only if it has changed."""
        status, name = path.stat(), str(path.absolute())
        mark = [status.st_size, status.st_mtime_ns]
        told = self.before.get(name)
        seen = None
        if isinstance(told, list) and told[:2] == mark:
            with suppress(TypeError, ValueError):
                seen = Seen(told[2], told[3], told[4], bytes.fromhex(told[5]))
        seen = seen or see(path)
        self.now[name] = [*mark, seen.height, seen.width, seen.digest, seen.thumb.hex()]
        return seen

    def keep(self) -> None:
        """Write down what was seen, if it is not the same; a cache that cannot be written is done without."""
        if self.now != self.before:
            with suppress(FileError, OSError, UnicodeError), written_atomically(self.file) as file:
                file.write(json.dumps(self.now).encode())


def duplicates(seen: Sequence[Seen]) -> list[list[int]]:
    """Places of pictures that are near-duplicates of one another, in groups of two or more.

    A copy that was saved anew or made smaller is one; a mirrored, cropped or newly lit one is not.
    """
    group = list(range(len(seen)))

    def root(place: int) -> int:
        while group[place] != place:
            group[place] = group[group[place]]
            place = group[place]
        return place

    first: dict[str, int] = {}
    for place, one in enumerate(seen):
        group[root(place)] = root(first.setdefault(one.digest, place))
    for place, other in _alike(seen):
        group[root(place)] = root(other)
    groups: dict[int, list[int]] = {}
    for place in range(len(seen)):
        groups.setdefault(root(place), []).append(place)
    return [places for places in groups.values() if len(places) > 1]


def _alike(seen: Sequence[Seen]) -> list[tuple[int, int]]:
    """Pairs of places whose thumbnails are alike."""
    if len(seen) < 2:
        return []
    raw = np.array([np.frombuffer(one.thumb, np.uint8) for one in seen], np.float32).reshape(len(seen), -1)
    grey, color = raw[:, : _THUMB**2], raw[:, _THUMB**2 :]
    grey = grey - grey.mean(1, keepdims=True)
    grey /= np.maximum(np.linalg.norm(grey, axis=1, keepdims=True), _THUMB)  # a flat picture is like no other
    pairs = []
    for start in range(0, len(seen), _ROWS):
        near = np.argwhere(grey[start : start + _ROWS] @ grey.T > ALIKE) + np.array([start, 0])
        near = near[near[:, 0] < near[:, 1]]
        close = np.abs(color[near[:, 0]] - color[near[:, 1]]).max(1, initial=0) <= SHADE
        pairs += [(int(one), int(other)) for one, other in near[close]]
    return pairs
