"""Images for upstream and downstream: CIFAR-10/100, Tiny ImageNet, class folders, and few-shot subsets of them.

Every data set is an :class:`Images`: labels, class names, and pixels that are fetched as ``uint8`` batches. Small sets
are decoded once and stay in memory; large class folders are decoded on demand by a pool of threads.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

#: Folder with the data sets, where no ``--datadir`` is given.
DATA_VARIABLE = "BITDOC_DATA"

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp"}
_IN_MEMORY = 2 << 30  # bytes of decoded pixels above which a class folder is decoded on demand
TINY_URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
TINY_MD5 = "90528d7ca1a48142e341f4ef8d21d0de"


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
    """

    name: str
    split: str
    encoding: str
    classes: tuple[str, ...]
    labels: Tensor
    pixels: Tensor | None = None
    paths: tuple[Path, ...] = ()
    workers: int = 8

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
            return batch if side is None else resize(batch, side)
        if side is None:
            raise DataError(f"the images of {self.name} differ in size; give the side of the square to resize them to")
        return torch.stack(_decode([self.paths[i] for i in indices.tolist()], side, self.workers))

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


def resize(batch: Tensor, side: int) -> Tensor:
    """Squeeze uint8 images ``(B, 3, H, W)`` to ``(B, 3, side, side)``, bilinear, antialiased when it shrinks them."""
    if batch.shape[-2:] == (side, side):
        return batch
    out = F.interpolate(batch.float(), size=(side, side), mode="bilinear", align_corners=False, antialias=True)
    return out.round_().clamp_(0, 255).byte()


def data_folder(given: str | os.PathLike | None) -> Path:
    """The folder given, else the one named by the environment variable ``BITDOC_DATA``, else ``./data``."""
    return Path(given or os.environ.get(DATA_VARIABLE) or "data").expanduser()


def load(name: str, split: str, datadir: str | os.PathLike | None = None, workers: int = 8) -> Images:
    """Load a data set.

    Parameters
    ----------
    name : {"cifar10", "cifar100", "tiny-imagenet", "imagenet2012", "folder"}
        ``"imagenet2012"`` and ``"folder"`` are class folders.
    split : {"train", "test"}
        ``"test"`` is the validation split of Tiny ImageNet and ImageNet, whose test labels are not public.
    datadir : path, optional
        Where the data is or is downloaded to; see :func:`data_folder`.
    workers : int
        Threads that decode image files.

    Raises
    ------
    DataError
        If the name is unknown, or the data is missing or incomplete.
    """
    loaders: dict[str, Callable[[str, Path], Images]] = {
        "cifar10": lambda s, d: _cifar("cifar10", s, d),
        "cifar100": lambda s, d: _cifar("cifar100", s, d),
        "tiny-imagenet": _tiny_imagenet,
        "imagenet2012": lambda s, d: class_folders(d / ("train" if s == "train" else "val"), "imagenet2012", s),
        "folder": lambda s, d: class_folders(d / s, "folder", s),
    }
    if name not in loaders:
        raise DataError(f"unknown data set {name!r}; choose one of {', '.join(loaders)}")
    if split not in ("train", "test"):
        raise DataError(f"unknown split {split!r}; choose train or test")
    if workers < 1:
        raise DataError(f"at least one worker must decode the images, got {workers}")
    return replace(loaders[name](split, data_folder(datadir)), workers=workers)


def few_shot_indices(labels: Tensor, examples_per_class: int, seed: int) -> Tensor:
    """Choose the same number of images of each class, the same for the same seed on any machine.

    Images are ranked by a hash of (seed, class, position), so the choice needs no random-number generator, whose
    stream may change with a library's version. A smaller subset is contained in a larger one of the same seed.

    Returns
    -------
    Tensor
        ``(classes * examples_per_class,)`` sorted int64 indices.

    Raises
    ------
    DataError
        If a class has too few images.
    """
    if examples_per_class < 1:
        raise DataError(f"examples per class must be at least 1, got {examples_per_class}")
    chosen = []
    for label in labels.unique().tolist():
        members = torch.nonzero(labels == label).flatten().tolist()
        if len(members) < examples_per_class:
            raise DataError(f"{examples_per_class} examples per class asked for, but class {label} has {len(members)}")
        ranked = sorted(range(len(members)), key=lambda i: hashlib.sha256(f"{seed}/{label}/{i}".encode()).digest())
        chosen += [members[i] for i in ranked[:examples_per_class]]
    return torch.tensor(sorted(chosen))


def digest(indices: Tensor) -> str:
    """Short fingerprint of a choice of indices, for run records."""
    return hashlib.sha256(indices.cpu().numpy().astype("<i8").tobytes()).hexdigest()[:16]


def _cifar(name: str, split: str, folder: Path) -> Images:
    """Class folders where there are any (``cifar10-jpeg``), else the originals through torchvision."""
    for root in (folder, folder / f"{name}-jpeg", folder / name):
        if (root / "train").is_dir() and (root / "test").is_dir():
            images = class_folders(root / split, name, split)
            expected = 10 if name == "cifar10" else 100
            if len(images.classes) != expected:
                raise DataError(f"{root / split} has {len(images.classes)} class folders; {name} has {expected}")
            return images
    from torchvision import datasets  # only the originals need torchvision

    kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    try:
        data = kind(folder, train=split == "train", download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} is not in {folder} and could not be downloaded ({error}); its host is often slow: put the archive "
            f"or class folders train/ and test/ there, or name their folder with --datadir or {DATA_VARIABLE}"
        ) from error
    pixels = torch.from_numpy(np.ascontiguousarray(data.data.transpose(0, 3, 1, 2)))
    return Images(name, split, "original", tuple(data.classes), torch.tensor(data.targets), pixels)


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
    encoding = "class folders, " + {"jpg": "JPEG", "jpeg": "JPEG"}.get(suffix, suffix.upper()) + _quality(paths[0])
    images = Images(name, split, encoding, tuple(classes), torch.tensor(labels), paths=tuple(paths))
    height, width = images.size
    return _decoded(images) if height == width and 3 * height * width * len(images) < _IN_MEMORY else images


def _natural(path: Path) -> tuple:
    return (len(path.stem), path.stem) if path.stem.isdigit() else (1 << 20, path.stem)


def _quality(path: Path) -> str:
    """`` q75`` for a JPEG whose first quantization step is the one a quality setting of 75 makes, and so on."""
    with Image.open(path) as image:
        tables = getattr(image, "quantization", None)
    if not tables:
        return ""
    step = tables[0][0]  # 16 at quality 50, scaled by 2 - quality / 50 above it
    return f" q{round(100 - step / 16 * 50)}" if step <= 16 else " below q50"


def _decoded(images: Images) -> Images:
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


def _decode(paths: Iterable[Path], side: int, workers: int) -> list[Tensor]:
    def one(path: Path) -> Tensor:
        return resize(torch.from_numpy(_read(path).copy()).permute(2, 0, 1)[None], side)[0]

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, paths))


def _tiny_imagenet(split: str, folder: Path) -> Images:
    """The official layout: ``train/<wnid>/images/``, ``val/images/`` with ``val_annotations.txt``, ``wnids.txt``."""
    root = folder if (folder / "wnids.txt").is_file() else folder / "tiny-imagenet-200"
    if not (root / "wnids.txt").is_file():
        _download_tiny_imagenet(folder)
    wnids = tuple(sorted((root / "wnids.txt").read_text().split()))
    if split == "train":
        pairs = [(p, i) for i, w in enumerate(wnids) for p in sorted((root / "train" / w / "images").glob("*.JPEG"))]
    else:
        notes = root / "val" / "val_annotations.txt"
        if not notes.is_file():
            raise DataError(f"{notes} is missing; Tiny ImageNet in {root} is incomplete")
        rows = [line.split("\t")[:2] for line in notes.read_text().splitlines() if line.strip()]
        pairs = [(root / "val" / "images" / file, wnids.index(wnid)) for file, wnid in rows]
        pairs = [(path, label) for path, label in pairs if path.is_file()]
    expected = 500 * len(wnids) if split == "train" else 50 * len(wnids)
    if len(wnids) != 200 or len(pairs) != expected:
        raise DataError(
            f"Tiny ImageNet in {root} is incomplete: found {len(wnids)} of 200 classes and {len(pairs)} of "
            f"{expected} {split} images"
        )
    paths, labels = zip(*pairs, strict=True)
    encoding = f"JPEG{_quality(paths[0])}"
    return _decoded(Images("tiny-imagenet", split, encoding, wnids, torch.tensor(labels), paths=paths))


def _download_tiny_imagenet(folder: Path) -> None:
    from torchvision.datasets.utils import download_url

    try:
        folder.mkdir(parents=True, exist_ok=True)
        download_url(TINY_URL, str(folder), md5=TINY_MD5)
        with zipfile.ZipFile(folder / "tiny-imagenet-200.zip") as archive:
            archive.extractall(folder)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"Tiny ImageNet is not in {folder} and could not be downloaded ({error}); put the unpacked folder "
            f"tiny-imagenet-200 there, or name its parent with --datadir or {DATA_VARIABLE}"
        ) from error
