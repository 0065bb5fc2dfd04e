"""Images for upstream and downstream: CIFAR-10/100, Tiny ImageNet, class folders, and few-shot subsets of them.

Every data set is an :class:`~bitdoc.data.images.Images`: labels, class names, and pixels that are fetched as ``uint8``
batches. Small sets are decoded once and stay in memory; large ones are decoded on demand by a pool of threads.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bitdoc.data.images import DataError, Images, class_folders, decoded, jpeg_quality, resize
from bitdoc.records.files import archive

__all__ = ["DataError", "Images", "class_folders", "digest", "few_shot_indices", "load", "resize"]

#: Folder with the data sets, where no ``--datadir`` is given.
DATA_VARIABLE = "BITDOC_DATA"

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TINY_URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
TINY_MD5 = "90528d7ca1a48142e341f4ef8d21d0de"


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
        Where the data is or is downloaded to; see ``data_folder``.
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
        try:
            data = kind(folder, train=split == "train", download=False)
        except RuntimeError:  # not unpacked yet, or damaged
            whole = archive(kind.url, folder / kind.filename, kind.tgz_md5, magic=b"\x1f\x8b")
            _unpack(whole, folder, kind.base_folder)
            data = kind(folder, train=split == "train", download=False)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} is not in {folder} and could not be downloaded ({error}); its host is often slow: put the archive "
            f"or class folders train/ and test/ there, or name their folder with --datadir or {DATA_VARIABLE}"
        ) from error
    pixels = torch.from_numpy(np.ascontiguousarray(data.data.transpose(0, 3, 1, 2)))
    return Images(name, split, "original", tuple(data.classes), torch.tensor(data.targets), pixels)


def _unpack(whole: Path, folder: Path, name: str) -> None:
    """Unpack the folder ``name`` of an archive file by file: other processes may be reading, or doing the same."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.") as part:
        shutil.unpack_archive(whole, part)
        (folder / name).mkdir(exist_ok=True)
        for file in (Path(part) / name).iterdir():
            os.replace(file, folder / name / file.name)


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
    encoding = f"JPEG{jpeg_quality(paths[0])}"
    return decoded(Images("tiny-imagenet", split, encoding, wnids, torch.tensor(labels), paths=paths))


def _download_tiny_imagenet(folder: Path) -> None:
    target = folder / "tiny-imagenet-200"
    try:
        whole = archive(TINY_URL, folder / "tiny-imagenet-200.zip", TINY_MD5, magic=b"PK")
        with tempfile.TemporaryDirectory(dir=folder, prefix=".tiny-imagenet-200.") as part:
            with zipfile.ZipFile(whole) as images:
                images.extractall(part)
            with suppress(OSError):  # another process was quicker
                os.replace(Path(part) / "tiny-imagenet-200", target)
        if not (target / "wnids.txt").is_file():
            raise OSError(f"{target} holds another folder than Tiny ImageNet's")
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f"Tiny ImageNet is not in {folder} and could not be downloaded ({error}); put the unpacked folder "
            f"tiny-imagenet-200 there, or name its parent with --datadir or {DATA_VARIABLE}"
        ) from error
