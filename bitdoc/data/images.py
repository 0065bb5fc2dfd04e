"""A labelled set of images, in memory or in files."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bitdoc.data import pictures
from bitdoc.data.pictures import DataError

_SAMPLE = 1000  # pictures whose headers tell the size of a set in files


@dataclass(frozen=True)
class Images:
    """A labelled set of images.

    Attributes
    ----------
    name, split : str
        For example ``"cifar10"`` and ``"train"``.
    encoding : str
        How the pixels are stored, as it stands in run records: ``"original"``, or ``"class folders, JPEG"``.
    classes : tuple of str
        Class names; a label is an index into them.
    labels : Tensor
        ``(N,)`` int64.
    pixels : Tensor or None
        ``(N, 3, H, W)`` uint8, when the set is in memory.
    paths : tuple of Path
        One file an image, when it is not.
    workers : int
        Threads that decode files.
    interpolation : {"bilinear", "bicubic"}
        How images are resized.
    turned : bool
        Whether files are turned as their EXIF tag says: those of a user's folder are, those of known data sets are
        not, as in the official code.
    """

    name: str
    split: str
    encoding: str
    classes: tuple[str, ...]
    labels: Tensor
    pixels: Tensor | None = None
    paths: tuple[Path, ...] = ()
    workers: int = 8
    interpolation: str = "bilinear"
    turned: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels; where sizes differ, of the image of median area among a thousand of them."""
        if self.pixels is not None:
            return self.pixels.shape[-2], self.pixels.shape[-1]
        sample = self.paths[:: -(-len(self.paths) // _SAMPLE)]
        sizes = sorted((pictures.size_of(path, self.turned) for path in sample), key=lambda size: (prod(size), size))
        return sizes[len(sizes) // 2]

    def fetch(self, indices: Tensor, side: int | None = None) -> Tensor:
        """Images at ``indices`` as uint8 ``(B, 3, side, side)``, squeezed to a square; ``side=None`` keeps the size.

        Raises
        ------
        DataError
            If a file cannot be read, or the size is to be kept and the images differ in it.
        """
        if self.pixels is not None:
            batch = self.pixels[indices]
            return batch if side is None else resize(batch, side, self.interpolation)
        paths = [self.paths[i] for i in indices.tolist()]
        found = decode(paths, side, self.workers, self.interpolation, self.turned)
        if other := next((i for i, image in enumerate(found) if image.shape != found[0].shape), 0):
            (_, h, w), (_, height, width) = found[0].shape, found[other].shape
            raise DataError(
                f"the images of {self.name} differ in size ({paths[0]} has {w} x {h} pixels, {paths[other]} has "
                f"{width} x {height}); only squeezed to a square of one side can they be stacked"
            )
        return torch.stack(found)

    def subset(self, indices: Tensor) -> Images:
        """The images at ``indices`` as a set of their own."""
        pixels = None if self.pixels is None else self.pixels[indices]
        paths = tuple(self.paths[i] for i in indices.tolist()) if self.paths else ()
        return replace(self, labels=self.labels[indices], pixels=pixels, paths=paths)

    def in_memory(self, side: int, device: torch.device | str = "cpu") -> Images:
        """The same images decoded, resized to ``side`` and kept on ``device``."""
        batches = torch.arange(len(self)).split(256)
        pixels = torch.cat([self.fetch(batch, side).to(device) for batch in batches])
        return replace(self, labels=self.labels.to(device), pixels=pixels, paths=())


def resize(batch: Tensor, side: int, interpolation: str = "bilinear") -> Tensor:
    """Squeeze uint8 images ``(B, 3, H, W)`` to ``(B, 3, side, side)``, antialiased when it shrinks them."""
    if batch.shape[-2:] == (side, side):
        return batch
    out = F.interpolate(batch.float(), size=(side, side), mode=interpolation, align_corners=False, antialias=True)
    return out.round_().clamp_(0, 255).byte()


def decoded(images: Images) -> Images:
    """Hold the pixels in memory, if all images turn out to have one size; the first that has another ends the reading.

    The memory is that of the pixels, and of one picture for each thread.
    """
    height, width = pictures.size_of(images.paths[0], images.turned)
    pixels = np.empty((len(images), height, width, 3), np.uint8)

    def fill(place: int) -> bool:
        found = pictures.read(images.paths[place], images.turned, (height, width))
        if found is None or found.shape != pixels.shape[1:]:
            return False
        pixels[place] = found
        return True

    with ThreadPoolExecutor() as pool:
        if not all(pool.map(fill, range(len(images)))):
            pool.shutdown(cancel_futures=True)
            return images
    return replace(images, pixels=torch.from_numpy(pixels).permute(0, 3, 1, 2), paths=())


def decode(
    paths: Iterable[Path], side: int | None, workers: int, interpolation: str = "bilinear", turned: bool = False
) -> list[Tensor]:
    """Read image files as uint8 ``(3, side, side)`` tensors; ``side=None`` keeps their sizes."""

    def one(path: Path) -> Tensor:
        pixels = pictures.read(path, turned)
        assert pixels is not None  # only a size that is asked for can be missed
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
        return image if side is None else resize(image[None], side, interpolation)[0]

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, paths))
