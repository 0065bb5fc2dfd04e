"""A labelled set of images, in memory or in files, and how it is read from class folders."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp"}
_IN_MEMORY = 2 << 30  # bytes of decoded pixels above which a class folder is decoded on demand


class DataError(ValueError):
    """A data set that cannot be used, with one line that says what was found and what was expected."""


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

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels; of the first image, where sizes differ."""
        if self.pixels is not None:
            return self.pixels.shape[-2], self.pixels.shape[-1]
        with Image.open(self.paths[0]) as image:
            return image.height, image.width

    def fetch(self, indices: Tensor, side: int | None = None) -> Tensor:
        """Images at ``indices`` as uint8 ``(B, 3, side, side)``, squeezed to a square; ``side=None`` keeps the size."""
        if self.pixels is not None:
            batch = self.pixels[indices]
            return batch if side is None else resize(batch, side, self.interpolation)
        if side is None:
            raise DataError(f"the images of {self.name} differ in size; give the side of the square to resize them to")
        paths = [self.paths[i] for i in indices.tolist()]
        return torch.stack(decode(paths, side, self.workers, self.interpolation))

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


def class_folders(root: Path, name: str, split: str) -> Images:
    """Read images from ``root/<class>/<file>``; classes are in alphabetical order.

    Raises
    ------
    DataError
        If the folder is missing, or a class has no image.
    """
    if not root.is_dir():
        raise DataError(f"no folder {root}; expected class folders {root}/<class>/<image>")
    classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    paths, labels = [], []
    for label, kind in enumerate(classes):
        files = sorted((p for p in (root / kind).iterdir() if p.suffix.lower() in _SUFFIXES), key=_natural)
        if not files:
            raise DataError(f"no images in {root / kind}; expected files ending in {', '.join(sorted(_SUFFIXES))}")
        paths += files
        labels += [label] * len(files)
    if not paths:
        raise DataError(f"no class folders in {root}; expected {root}/<class>/<image>")
    suffix = paths[0].suffix.lower().lstrip(".")
    encoding = "class folders, " + {"jpg": "JPEG", "jpeg": "JPEG"}.get(suffix, suffix.upper()) + jpeg_quality(paths[0])
    images = Images(name, split, encoding, tuple(classes), torch.tensor(labels), paths=tuple(paths))
    height, width = images.size
    return decoded(images) if height == width and 3 * height * width * len(images) < _IN_MEMORY else images


def _natural(path: Path) -> tuple:
    return (len(path.stem), path.stem) if path.stem.isdigit() else (1 << 20, path.stem)


def jpeg_quality(path: Path) -> str:
    """`` q75`` for a JPEG whose first quantization step is the one a quality setting of 75 makes, and so on."""
    with Image.open(path) as image:
        tables = getattr(image, "quantization", None)
    if not tables:
        return ""
    step = tables[0][0]  # 16 at quality 50, scaled by 2 - quality / 50 above it
    return f" q{round(100 - step / 16 * 50)}" if step <= 16 else " below q50"


def decoded(images: Images) -> Images:
    """Hold the pixels in memory, if all images turn out to have one size."""
    first = images.size
    with ThreadPoolExecutor() as pool:
        arrays = list(pool.map(_read, images.paths, chunksize=256))
    if any(array.shape[:2] != first for array in arrays):
        return images
    pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
    return replace(images, pixels=pixels, paths=())


def _read(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from error


def decode(paths: Iterable[Path], side: int, workers: int, interpolation: str = "bilinear") -> list[Tensor]:
    """Read image files as uint8 ``(3, side, side)`` tensors."""

    def one(path: Path) -> Tensor:
        return resize(torch.from_numpy(_read(path).copy()).permute(2, 0, 1)[None], side, interpolation)[0]

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, paths))
