"""The official ``.npz`` weight files: find, download, check, load, save.

A file maps names such as ``resnet/block1/unit01/a/standardized_conv2d/kernel`` to arrays. Convolutions are stored
``(height, width, in, out)``, raw, before weight standardization; the head is a 1x1 convolution. Nothing here unpickles.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bitdoc.network import npz
from bitdoc.network.resnet import OFFICIAL, ResNetV2, architecture, build
from bitdoc.records.files import FileError, cache_folder, download, is_whole_zip, written_atomically
from bitdoc.records.files import sha256 as sha256  # asked of weights files, so offered here

#: Where the authors keep their files; the environment variable ``BITDOC_WEIGHTS_URL`` names a mirror.
URL = "https://storage.googleapis.com/bit_models"
#: The folder of the small models that ship with the package (``BiT-T-*``).
SHIPPED = Path(__file__).parent / "pretrained"
#: The names the official code knows.
PUBLISHED = tuple(f"BiT-{upstream}-{arch}" for upstream in "MS" for arch in OFFICIAL)

_CONV = "standardized_conv2d"
#: Where the official files keep each layer: the last part of its name in the network, and of its name there.
_PLACES = {"root.conv": f"root_block/{_CONV}", "proj": f"a/proj/{_CONV}", "norm": "group_norm", "head": "head/conv2d"}
_PLACES |= {f"norm_{x}": f"{x}/group_norm" for x in "abc"} | {f"conv_{x}": f"{x}/{_CONV}" for x in "abc"}
_NORM_NAMES = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_OTHER_NAMES = {"weight": "kernel", "bias": "bias"}


class WeightsError(ValueError):
    """A weights file cannot be found, fetched, read or used; the message is one line that says what to do."""


@dataclass(frozen=True)
class ModelName:
    """A model's name in its parts: ``BiT-M-R50x1-ILSVRC2012`` is upstream M, architecture R50x1, suffix ILSVRC2012.

    Attributes
    ----------
    upstream : {"S", "M", "L", "T"}
        Upstream data: ILSVRC-2012, ImageNet-21k, JFT-300M (never released), Tiny ImageNet (bitdoc's own miniatures).
    arch : str
        For :func:`bitdoc.network.resnet.architecture`.
    suffix : str
        Data set the network was fine-tuned on afterwards; empty for none.
    """

    upstream: str
    arch: str
    suffix: str = ""

    @classmethod
    def parse(cls, name: str) -> ModelName:
        """Read a name; raises :class:`WeightsError` if it is none."""
        if not (match := re.fullmatch(r"BiT-([SMLT])-(R[^-]+)(?:-([\w.-]{1,99}))?", name, re.ASCII)):
            raise WeightsError(f"unknown model {name!r}; expected a name such as BiT-M-R50x1 or BiT-M-R50x1-ILSVRC2012")
        try:
            architecture(match[2])
        except ValueError as error:
            raise WeightsError(f"unknown model {name!r}: {error}") from None
        return cls(match[1], match[2], match[3] or "")

    def __str__(self) -> str:
        return f"BiT-{self.upstream}-{self.arch}" + (f"-{self.suffix}" if self.suffix else "")

    @property
    def is_published(self) -> bool:
        """Whether the BiT authors published weights of this name's upstream data and architecture."""
        return self.upstream in "SM" and self.arch in OFFICIAL

    @property
    def file(self) -> str:
        """Name of the weights file."""
        return f"{self}.npz"


def model_file(name: str) -> str:
    """Name of the file that holds a model: ``BiT-M-R50x1`` is in ``BiT-M-R50x1.npz``."""
    return ModelName.parse(name).file


def shipped() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("BiT-T-*.npz"))


def _folders(directory: str | os.PathLike | None) -> list[Path]:
    return [*([] if directory is None else [Path(directory)]), SHIPPED, cache_folder()]


def check_folder(directory: str | os.PathLike | None) -> None:
    """Refuse, with :class:`WeightsError`, a folder to look for weights in that is not there."""
    if directory is not None and not Path(directory).is_dir():
        raise WeightsError(f"no folder {directory} to look for weights in; create it or name another")


def at_hand(name: str, directory: str | os.PathLike | None = None) -> Path | None:
    """The first whole weights file of a model on this machine, in the order of :func:`find`; None if there is none."""
    places = (folder / model_file(name) for folder in _folders(directory))
    return next((place for place in places if place.is_file() and is_whole_zip(place)), None)


def find(name: str, directory: str | os.PathLike | None = None) -> Path:
    """Find a model's weights file, and download it if need be.

    Looks in ``directory`` (``--bit_pretrained_dir``), among the files that ship with the package, and in
    :func:`bitdoc.records.files.cache_folder`; a published model that none of them has whole is downloaded to the last.

    Raises
    ------
    WeightsError
        If the name is unknown, ``directory`` does not exist, or the file can be neither found whole nor downloaded.
    """
    model = ModelName.parse(name)
    check_folder(directory)
    if found := at_hand(name, directory):
        return found
    if model.is_published:
        host = (os.environ.get("BITDOC_WEIGHTS_URL") or URL).rstrip("/")
        place = "vtab/" if re.match(r"run\d-", model.suffix) else ""  # BiT-M-R50x1-run0-caltech101 and 284 more
        try:
            return download(f"{host}/{place}{model.file}", cache_folder() / model.file, magic=npz.ZIP)
        except FileError as error:
            raise WeightsError(str(error)) from None
    raise WeightsError(why_missing(name, directory))


def why_missing(name: str, directory: str | os.PathLike | None = None) -> str:
    """Why :func:`find` finds no weights of a model that nobody published, and what to do."""
    model = ModelName.parse(name)
    places = [folder / model.file for folder in _folders(directory)]
    if damaged := next(filter(Path.is_file, places), None):
        return f"{damaged} is truncated or altered; delete it, and copy or make it again"
    why = "BiT-L was never released" if model.upstream == "L" else f"{name} is not among the published models"
    if model.upstream == "T":
        why = f"bitdoc ships {', '.join(shipped()) or 'none'}; others are pre-trained with python -m bitdoc.pretrain"
    return f"there is no {model.file} in {', '.join(str(place.parent) for place in places)}, and {why}"


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read all arrays of a weights file; numbered names (``standardized_conv2d_17``) lose their number.

    Raises
    ------
    WeightsError
        If there is no such file, or it is truncated or damaged, a pickle, or holds anything but arrays of numbers.
    """
    try:
        return _without_numbers(npz.read(Path(path)), str(path))
    except npz.ArchiveError as error:
        raise WeightsError(str(error)) from None


def _without_numbers(arrays: Mapping[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    plain = {re.sub(r"(standardized_conv2d|group_norm|conv2d)_\d+(?=/)", r"\1", key): a for key, a in arrays.items()}
    if len(plain) != len(arrays):
        raise WeightsError(f"{where} holds two tensors whose names differ only in the layer's number")
    return plain


def _from_memory(source: Mapping[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    try:
        return _without_numbers({key: npz.native(array, f"{where}: {key!r}") for key, array in source.items()}, where)
    except npz.ArchiveError as error:
        raise WeightsError(str(error)) from None


def file_key(parameter: str, norm_kind: str = "group") -> str:
    """Name in the official files of a parameter of :class:`bitdoc.network.resnet.ResNetV2`.

    ``stages.0.2.conv_a.weight`` is ``resnet/block1/unit03/a/standardized_conv2d/kernel``. The official networks use
    group norm; batch-norm networks get names of the same form, ``batch_norm/moving_mean`` among them.
    """
    match = re.fullmatch(r"(?:stages\.(\d+)\.(\d+)\.)?([\w.]+)\.(\w+)", parameter)
    stage, unit, layer, kind = match.groups() if match else (None, None, "", "")
    names = _NORM_NAMES if "norm" in layer else _OTHER_NAMES
    if layer not in _PLACES or kind not in names:
        raise WeightsError(f"the official layout has no place for {parameter!r}")
    block = "" if stage is None or unit is None else f"block{int(stage) + 1}/unit{int(unit) + 1:02d}/"
    return f"resnet/{block}{_PLACES[layer].replace('group', norm_kind)}/{names[kind]}"


def _tensors(model: ResNetV2) -> dict[str, Tensor]:
    """Everything a file holds of a model, by its name there."""
    norm_kind = "batch" if isinstance(model.norm, torch.nn.BatchNorm2d) else "group"
    state = model.state_dict(keep_vars=True)  # batch norm's counter of batches is of no use in a file
    return {file_key(name, norm_kind): value for name, value in state.items() if "num_batches" not in name}


def _to_file_layout(value: Tensor) -> Tensor:
    if value.ndim == 2:  # the head, a 1x1 convolution in the files
        value = value[:, :, None, None]
    return value.permute(2, 3, 1, 0) if value.ndim == 4 else value


def _from_file_layout(array: np.ndarray, shape: torch.Size) -> Tensor:
    value = torch.from_numpy(array)
    return (value.permute(3, 2, 0, 1) if value.ndim == 4 else value).reshape(shape)


def load_into(model: ResNetV2, source: str | os.PathLike | Mapping[str, np.ndarray], head: str = "keep") -> None:
    """Copy the weights of a file, or of the dictionary that :func:`read` returned, into a network.

    Parameters
    ----------
    head : {"keep", "new"}
        ``"keep"`` takes the file's head, which must have as many classes as the model's; ``"new"`` ignores it and
        leaves the model's own (zero, unless built otherwise). A model without a head ignores the file's.

    Raises
    ------
    WeightsError
        If the file is not sound, has values that are not finite, or its tensors are not exactly the model's; the model
        is then unchanged.
    """
    if head not in ("keep", "new"):
        raise ValueError(f"unknown head {head!r}; choose 'keep' or 'new'")
    if isinstance(source, Mapping):
        where, arrays = "the given dictionary", _from_memory(source, "the given dictionary")
    else:
        where, arrays = str(source), read(source)
    wanted = _tensors(model)
    if head == "new" or not model.classes:
        arrays = {key: array for key, array in arrays.items() if not key.startswith("resnet/head/")}
        wanted = {key: value for key, value in wanted.items() if not key.startswith("resnet/head/")}
    shapes = {key: tuple(_to_file_layout(p).shape) for key, p in wanted.items()}
    if wrong := npz.misfit(arrays, shapes, model.arch.name, model.classes):
        raise WeightsError(f"{where} {wrong}")
    ready = {key: _from_file_layout(arrays[key], value.shape).to(value.dtype) for key, value in wanted.items()}
    if unsound := [key for key, value in ready.items() if not value.isfinite().all()]:
        raise WeightsError(f"{where} has values that are not finite in {npz.first_few(unsound)}; it is of no use")
    with torch.no_grad():
        for key, value in wanted.items():
            value.copy_(ready[key])


def save(model: ResNetV2, path: str | os.PathLike, dtype: type = np.float32) -> None:
    """Write a network in the official layout, whole or not at all; the same weights give the same bytes.

    Raises
    ------
    WeightsError
        If a value does not fit ``dtype``, or the file cannot be written.
    """
    arrays: dict[str, Any] = {}
    for key, value in _tensors(model).items():
        with np.errstate(over="ignore"):  # reported just below
            arrays[key] = _to_file_layout(value.detach().cpu()).contiguous().numpy().astype(dtype, copy=False)
        if not np.isfinite(arrays[key]).all():
            raise WeightsError(f"{key} has values that are not finite in {np.dtype(dtype).name}; nothing was written")
    try:
        with written_atomically(Path(path)) as file:
            np.savez(file, **arrays)
    except FileError as error:
        raise WeightsError(str(error)) from None


def load(name: str, classes: int | None = None, directory: str | os.PathLike | None = None) -> ResNetV2:
    """Find a model's weights and return the network, in evaluation mode on the CPU: ``load("BiT-M-R50x1")``.

    Parameters
    ----------
    name : str
        See :class:`ModelName`.
    classes : int, optional
        Outputs of a new, zero head; 0 for none. By default the network keeps its upstream head.
    directory : path, optional
        Where to look first. Errors are those of :func:`find`, :func:`read` and :func:`load_into`.
    """
    arrays, head = read(path := find(name, directory)), "keep" if classes is None else "new"
    if classes is None:
        kernel = arrays.get("resnet/head/conv2d/kernel")
        if kernel is None or kernel.ndim != 4:
            raise WeightsError(f"{path} lacks a resnet/head/conv2d/kernel; say how many classes a new head should have")
        classes = kernel.shape[-1]
    with torch.device("meta"):  # no time, memory or random numbers for weights that are replaced anyway
        model = build(ModelName.parse(name).arch, classes)
    model.to_empty(device="cpu")
    for value in model.head.parameters():
        torch.nn.init.zeros_(value)
    load_into(model, arrays, head)
    return model.eval()
