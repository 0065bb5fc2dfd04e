"""Features of a frozen network, computed once for each picture and found again by the picture's contents."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from bitdoc import data
from bitdoc.exchange.folded import folded
from bitdoc.network import npz
from bitdoc.network.resnet import ResNetV2
from bitdoc.records.age import code_digest
from bitdoc.records.files import FileError, cache_folder, written_atomically
from bitdoc.training.engine import Engine
from bitdoc.training.loop import to_float

#: Pictures at a time: what more of them are in a network's first blocks is larger than a processor's caches.
_BATCH = 24
_EVERY = 60  # seconds between two times that features are kept while more are computed
_KEPT = 1 << 28  # bytes of features that the cache keeps under one key, the latest


class Features:
    """Features under one network at one size of picture, in memory and in the cache folder.

    Parameters
    ----------
    key : str
        What the features depend on beside the picture: weights, size, precision.
    width : int
        Numbers for each picture.
    """

    def __init__(self, key: str, width: int) -> None:
        name = hashlib.sha256(f"{key}/{code_digest()}".encode()).hexdigest()[:16]
        self.file, self.width = cache_folder() / "features" / f"{name}.npz", width
        self.known: dict[str, np.ndarray] = {}
        with suppress(npz.ArchiveError, KeyError, ValueError, OSError):
            self.known = _read(self.file, width)

    def missing(self, digests: Sequence[str]) -> list[int]:
        """Places of pictures whose features are not known; of equal pictures the first."""
        first = {digest: place for place, digest in reversed(list(enumerate(digests)))}
        return sorted(place for digest, place in first.items() if digest not in self.known)

    def of(self, digests: Sequence[str]) -> Tensor:
        """``(N, width)`` features of pictures that are known."""
        return torch.from_numpy(np.stack([self.known[digest] for digest in digests]))

    def compute(
        self, compute: Callable[[Tensor], Tensor], images: data.Images, digests: Sequence[str], side: int
    ) -> None:
        """Compute what is missing, with a progress bar, and keep it; what is done when it is stopped is kept too."""
        places, kept = self.missing(digests), time.monotonic()
        try:
            with tqdm(total=len(places), desc="features", unit="picture", leave=False, disable=None) as bar:
                for start in range(0, len(places), _BATCH):
                    some = places[start : start + _BATCH]
                    found = compute(images.fetch(torch.tensor(some), side)).numpy()
                    self.known.update(zip((digests[i] for i in some), found, strict=True))
                    bar.update(len(some))
                    if time.monotonic() - kept > _EVERY:
                        self._keep()
                        kept = time.monotonic()
        finally:
            if places and self.known:
                self._keep()

    def _keep(self) -> None:
        """Write what is known; a cache that cannot be written is done without."""
        latest = list(self.known)[-(_KEPT // (4 * self.width)) :]
        digests = np.frombuffer(bytes.fromhex("".join(latest)), np.uint8).reshape(-1, 32)
        with suppress(FileError, OSError), written_atomically(self.file) as file:
            np.savez(file, digests=digests.astype(np.float32), features=np.stack([self.known[one] for one in latest]))


def _read(path: Path, width: int) -> dict[str, np.ndarray]:
    arrays = npz.read(path)
    digests, found = arrays["digests"].astype(np.uint8), arrays["features"]
    if found.shape != (len(digests), width) or digests.shape[1:] != (32,) or not np.isfinite(found).all():
        raise ValueError("other features than were asked for")
    return {bytes(digest).hex(): row for digest, row in zip(digests, found.astype(np.float32), strict=True)}


def computer(network: ResNetV2, engine: Engine) -> Callable[[Tensor], Tensor]:
    """A function from uint8 pictures ``(N, 3, side, side)`` to their features ``(N, width)``, on the CPU."""
    model = engine.place(folded(network))  # its filters standardized once for all

    def of(x: Tensor) -> Tensor:
        with engine.autocast():
            return model.features(to_float(x).contiguous(memory_format=torch.channels_last)).float()

    @torch.no_grad()
    def compute(pictures: Tensor) -> Tensor:
        return engine.in_parts(of, pictures.to(engine.device)).cpu()

    return compute
