"""A run: a folder that can be given away. What is in it, how it is written, and how it becomes a classifier again.

``model.safetensors`` holds the network and, in its header, the names of the classes, how a picture is prepared, the
recipe and the license of the weights (:mod:`bitdoc.exchange.passport`); ``record.json`` what was run and measured;
``report.html`` the same for people; ``pictures.csv`` each picture with what was said of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from bitdoc import exchange
from bitdoc.data.images import decode, resize
from bitdoc.desk.found import is_run
from bitdoc.desk.scores import median_and_spread
from bitdoc.network.resnet import ResNetV2
from bitdoc.network.weights import WeightsError
from bitdoc.records import runs
from bitdoc.records.files import FileError, held
from bitdoc.training.command import Refused
from bitdoc.training.loop import to_float

NETWORK, RECORD, PAGE, TABLE = "model.safetensors", "record.json", "report.html", "pictures.csv"


@dataclass(frozen=True)
class Preprocess:
    """How a picture becomes what the network takes: turned upright, squeezed to a square, scaled to [-1, 1].

    Attributes
    ----------
    side : int
        Of the square, in pixels.
    interpolation : {"bilinear", "bicubic"}
        How pictures are squeezed.
    """

    side: int
    interpolation: str = "bilinear"

    def __call__(self, picture: str | os.PathLike | Image.Image | np.ndarray) -> Tensor:
        """Prepare a file, a picture of Pillow's, or an array ``(H, W, 3)`` of uint8; returns ``(3, side, side)``.

        Raises
        ------
        DataError
            If the file cannot be read as a picture.
        ValueError
            If the array is no picture.
        """
        if isinstance(picture, str | os.PathLike):
            return self.read([Path(picture)])[0]
        if isinstance(picture, Image.Image):
            picture = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
        if not (isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.shape[2:] == (3,)):
            shape = getattr(picture, "shape", type(picture).__name__)
            raise ValueError(f"expected a file, a Pillow picture, or an array (H, W, 3) of uint8, got {shape}")
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
        return to_float(resize(pixels, self.side, self.interpolation))[0]

    def read(self, paths: list[Path], workers: int = 4) -> Tensor:
        """Prepare files at once: ``(N, 3, side, side)``."""
        return to_float(torch.stack(decode(paths, self.side, workers, self.interpolation, turned=True)))


class Classifier(nn.Module):
    """A network with the names of its classes and the way it wants its pictures.

    Attributes
    ----------
    network : ResNetV2
        The network itself.
    classes : tuple of str
        Names of its outputs, in their order.
    preprocess : Preprocess
        Turns a picture into the network's input.
    passport : bitdoc.exchange.Passport
        All that the file says of it: recipe, origin and license of the weights among others.
    """

    def __init__(self, network: ResNetV2, passport: exchange.Passport) -> None:
        super().__init__()
        self.network, self.passport, self.classes = network, passport, passport.classes
        self.preprocess = Preprocess(passport.side or 224, passport.interpolation)

    def forward(self, x: Tensor) -> Tensor:
        """Map prepared pictures ``(N, 3, side, side)`` to logits ``(N, classes)``."""
        return self.network(x)


def load(run: str | os.PathLike) -> Classifier:
    """Load the classifier of a run, on the CPU and ready to be used: ``load("my_pictures/run")``.

    Parameters
    ----------
    run : path
        The folder, or the file of the network in it.

    Raises
    ------
    WeightsError
        If there is no run, or its network is damaged or does not say what its classes are.
    """
    path = Path(run).expanduser()
    file = path / NETWORK if path.is_dir() else path
    if not file.is_file():
        raise WeightsError(
            f"no run {path}; expected a folder with {NETWORK}, as bitdoc probe and bitdoc train write it"
        )
    network, passport = exchange.load(file)
    if not passport.classes or not passport.side:
        raise WeightsError(f"{file} does not name its classes or the size of its pictures, so it is no classifier")
    return Classifier(network, passport).eval()


def check_run(run: Path) -> None:
    """Refuse what is neither a run nor the file of one."""
    if not (is_run(run) or run.is_file()):
        raise Refused(f"no run {run}; expected a folder with {NETWORK}, as bitdoc probe and bitdoc train write it")


def place_for(pictures: Path) -> Path:
    """Where the run on a folder of pictures, or on a table, is put unless said otherwise."""
    return (pictures if pictures.is_dir() else pictures.parent) / "run"


def check_place(target: Path) -> None:
    """Refuse a place that cannot be written to, or where something else than a run lies."""
    place = next(path for path in (target.absolute(), *target.absolute().parents) if path.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise Refused(f"cannot write to {place}, where {target} should go; name another folder with --out")
    if target.exists() and not is_run(target) and (not target.is_dir() or any(target.iterdir())):
        raise Refused(f"{target} is there and is no run; name another folder with --out")


def workshop(target: Path, command: str) -> Path:
    """The hidden folder beside a run's place in which a command makes it, and in which a stopped training waits."""
    return target.with_name(f".{target.name}.{command}")


@contextmanager
def made(target: Path, command: str, *, dry: bool = False) -> Iterator[Path]:
    """Yield the folder in which a run is made, and put it in its place when the block ends well.

    The run that lies there keeps its files: it moves to the first free name of ``run-1``, ``run-2`` and so on. A
    ``dry`` run makes nothing.

    Raises
    ------
    FileError
        If another process makes the same run, or the folder cannot be written to.
    """
    folder = workshop(target, command)
    if dry:
        yield folder
        return
    with held(folder / "run", "made"):
        yield folder
    try:
        if target.exists() and (earlier := free(target)) is not None:
            target.rename(earlier)
        folder.rename(target)
    except OSError as error:
        raise FileError(
            f"the run is done and lies in {folder}, but cannot be put at {target}: {error.strerror}"
        ) from None


def free(target: Path) -> Path | None:
    """Where the run at ``target`` would move to; None for an empty folder, which is removed."""
    if not any(target.iterdir()):
        target.rmdir()
        return None
    return next(path for n in range(1, 10_000) if not (path := target.with_name(f"{target.name}-{n}")).exists())


def told(run: Path) -> Iterator[str]:
    """What a command prints of the run that it made."""
    record = runs.read(run / RECORD)
    low, high = record.result["interval"]
    yield (
        f"accuracy {record.result['top1']:.1f} %, 95 % interval {low:.1f} to {high:.1f} % "
        f"({record.result['images']:,} tested)"
    )
    if subsets := record.result.get("subsets"):
        median, least, most = median_and_spread(subsets)
        yield f"over {len(subsets)} subsets: median {median:.1f} %, from {least:.1f} to {most:.1f} %"
    if kept := record.result.get("kept"):
        yield f"kept     step {kept['step']}: {kept['why']}"
    yield f"report   {run / PAGE}"
    yield f"use it   bitdoc predict {run} FOLDER_OR_FILES"
