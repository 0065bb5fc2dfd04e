"""Images for upstream and downstream: CIFAR-10/100, Tiny ImageNet, class folders, and few-shot subsets of them.

Every data set is an :class:`~bitdoc.data.images.Images`: labels, class names, and pixels that are fetched as ``uint8``
batches. Small sets are decoded once and stay in memory; large ones are decoded on demand by a pool of threads.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bitdoc.data.folders import class_folders
from bitdoc.data.images import Images, decoded
from bitdoc.data.pictures import DataError, jpeg_quality
from bitdoc.records.files import archive, expanded

#: Folder with the data sets, where no ``--datadir`` is given.
DATA_VARIABLE = "BITDOC_DATA"

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR100_CLASSES = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
    """.split()  # noqa: SIM905 - a hundred names are read more easily without quotes
)
_NAMES = {"cifar10": CIFAR10_CLASSES, "cifar100": CIFAR100_CLASSES}
#: Images that each split of a known data set has.
IMAGES = {
    "cifar10": {"train": 50_000, "test": 10_000},
    "cifar100": {"train": 50_000, "test": 10_000},
    "imagenet2012": {"train": 1_281_167, "test": 50_000},
}
TINY_URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
TINY_MD5 = "90528d7ca1a48142e341f4ef8d21d0de"


def data_folder(given: str | os.PathLike | None) -> Path:
    """The folder given, else the one named by the environment variable ``BITDOC_DATA``, else ``./data``."""
    return expanded(given or os.environ.get(DATA_VARIABLE) or "data")


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
        Threads that decode image files later, where a set is too large for memory.

    Raises
    ------
    DataError
        If the name is unknown, or the data is missing, incomplete, or not the data set that was named.
    """
    loaders: dict[str, Callable[[str, Path], Images]] = {
        "cifar10": lambda s, d: _cifar("cifar10", s, d),
        "cifar100": lambda s, d: _cifar("cifar100", s, d),
        "tiny-imagenet": _tiny_imagenet,
        "imagenet2012": lambda s, d: _known(d / ("train" if s == "train" else "val"), "imagenet2012", s),
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


def _known(root: Path, name: str, split: str) -> Images:
    """Class folders that are said to be a known data set; by names and numbers they must be."""
    images = class_folders(root, name, split)
    if problem := _unlike(images, name, split):
        raise DataError(
            f"{root} is not the {split} set of {name}: it has {problem}; complete it, or read class folders of your "
            f"own with --dataset folder"
        )
    return images


def _unlike(images: Images, name: str, split: str) -> str:
    """What class folders have that the data set does not; nothing if they are alike."""
    names, counts, total = _NAMES.get(name), images.labels.bincount().tolist(), IMAGES[name][split]
    number = 1000 if names is None else len(names)
    if len(counts) != number:
        return f"{len(counts)} class folders, expected {number}"
    if names is None:
        if foreign := next((kind for kind in images.classes if not re.fullmatch(r"n\d{8}", kind)), None):
            return f"a class {foreign!r}, expected numbers of WordNet such as 'n01440764'"
    elif missing := sorted(set(names) - set(images.classes)):
        foreign = min(set(images.classes) - set(names))
        return f"a class {foreign!r} and none called {missing[0]!r}"
    elif len(set(counts)) > 1:
        return (
            f"{min(counts)} images in class {images.classes[counts.index(min(counts))]!r} and {max(counts)} in others"
        )
    return "" if len(images) == total else f"{len(images):,} images, expected {total:,}"


def _cifar(name: str, split: str, folder: Path) -> Images:
    """Class folders where there are any (``cifar10-jpeg``), else the originals through torchvision."""
    for root in (folder, folder / f"{name}-jpeg", folder / name):
        if (root / "train").is_dir() and (root / "test").is_dir():
            return _known(root / split, name, split)
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
    try:
        wnids = tuple(sorted((root / "wnids.txt").read_text(encoding="utf-8").split()))
        pairs = _tiny_training(root, wnids) if split == "train" else _tiny_validation(root, wnids)
    except (OSError, ValueError) as error:
        raise DataError(f"Tiny ImageNet in {root} is incomplete or altered: {error}") from None
    expected, counts = 500 if split == "train" else 50, Counter(label for _, label in pairs)
    if len(wnids) != 200 or any(counts[label] != expected for label in range(200)):
        raise DataError(
            f"Tiny ImageNet in {root} is incomplete: found {len(wnids)} of 200 classes and {len(pairs)} of "
            f"{200 * expected} {split} images, of which each class must have {expected}"
        )
    paths, labels = zip(*pairs, strict=True)
    encoding = f"JPEG{jpeg_quality(paths[0])}"
    return decoded(Images("tiny-imagenet", split, encoding, wnids, torch.tensor(labels), paths=paths))


def _tiny_training(root: Path, wnids: tuple[str, ...]) -> list[tuple[Path, int]]:
    folders = ((root / "train" / wnid / "images", label) for label, wnid in enumerate(wnids))
    found = ((path, label) for folder, label in folders for path in sorted(folder.glob("*.JPEG")))
    return [(path, label) for path, label in found if not path.name.startswith(".")]


def _tiny_validation(root: Path, wnids: tuple[str, ...]) -> list[tuple[Path, int]]:
    """The rows of ``val_annotations.txt``: name of the file, its class, and four numbers that are of no use here."""
    labels = {wnid: label for label, wnid in enumerate(wnids)}
    pairs = []
    for row in (root / "val" / "val_annotations.txt").read_text(encoding="utf-8").splitlines():
        file, _, rest = row.partition("\t")
        wnid = rest.split("\t")[0]
        if row.strip() and wnid not in labels:
            raise ValueError(f"val_annotations.txt has the row {row!r}, expected a file and one of the 200 classes")
        if row.strip() and (path := root / "val" / "images" / file).is_file():
            pairs.append((path, labels[wnid]))
    return pairs


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
