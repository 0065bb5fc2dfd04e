"""Load a BiT network from wherever it is: a name, a file, a folder, or a repository of the hub."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bitdoc.exchange import hub, layouts, tensorfile
from bitdoc.exchange.passport import Passport
from bitdoc.network import npz, weights
from bitdoc.network.resnet import ResNetV2, build
from bitdoc.network.weights import WeightsError
from bitdoc.records.files import cache_folder, is_whole_zip

#: Files that hold a network in a folder, the better first: ``.bin`` is a pickle, of which only tensors are read.
FILES = ("model.safetensors", "pytorch_model.bin")
_BESIDE = ("config.json", "preprocessor_config.json")
#: From this gap on, the epsilon of weight standardization is spoken of.
_FELT = 1e-3
#: What transformers' configuration has to say for the network to be BiT's.
_AS_BIT = {
    "layer_type": "preactivation",
    "hidden_act": "relu",
    "global_padding": None,
    "embedding_dynamic_padding": False,
    "output_stride": 32,
}


def load(source: str | os.PathLike, *, epsilon: float | None = None) -> tuple[ResNetV2, Passport]:
    """Load a network, in evaluation mode on the CPU, and what is known of it.

    Parameters
    ----------
    source : str or path
        A name of bitdoc's (``BiT-M-R50x1``); a file in safetensors, of the authors (``.npz``) or of PyTorch
        (``.bin``, ``.pt``, ``.pth``); a folder that timm or transformers saved; or a repository of the hub, such as
        ``timm/resnetv2_50x1_bit.goog_in21k`` or ``google/bit-50``, with ``@`` and a revision after it if need be.
    epsilon : float, optional
        For networks that were *trained* in timm or transformers: 1e-8, see Notes.

    Raises
    ------
    WeightsError
        If there is nothing of that name, or it is no sound BiT network; the message is one line.

    Notes
    -----
    timm and transformers standardize filters with an epsilon of 1e-8, the authors' code with 1e-10. Which one is right
    follows from where a network was trained. The authors' own, whoever keeps them, were trained with 1e-10 and get it
    here, so their outputs are the official ones; those of timm differ in the fifth digit or so. A network trained in
    timm or transformers gets their outputs with ``epsilon=1e-8``, which multiplies every filter by 0.1
    (:func:`~bitdoc.exchange.layouts.as_with_epsilon`): exact for use as it is, but not meant for fine-tuning.
    """
    name = os.fspath(source)
    path = Path(name).expanduser()
    if not path.exists():
        if name.startswith("BiT-"):
            return weights.load(name), Passport.of(name)
        if not hub.is_name(name):
            raise WeightsError(
                f"no weights {name!r}: expected a name such as BiT-M-R50x1, a file, a folder, or a repository of the "
                f"hub such as timm/resnetv2_50x1_bit.goog_in21k"
            )
        path = hub.fetch(name, FILES, _BESIDE)
    model, passport = _from_path(path, epsilon, known=hub.is_authors(name))
    return model, passport if passport.origin else hub.signed(passport, name)


def adopt(name: str) -> tuple[str, Path]:
    """Keep a network of the authors' that the hub has in bitdoc's cache, as the file that the authors would have.

    Parameters
    ----------
    name : str
        Such as ``timm/resnetv2_50x1_bit.goog_in21k``.

    Returns
    -------
    name, folder
        What :func:`bitdoc.network.weights.load` and the commands call it, and the folder where they find it. The file
        holds the authors' numbers, but is not theirs to the byte: a record of a run tells it by its own hash.

    Raises
    ------
    WeightsError
        As :func:`load`; and for a repository that is not one of the authors' networks.
    """
    model_name = hub.model_name(name)
    folder = hub.fetch(name, FILES, _BESIDE)
    folder = cache_folder() / "hub" / folder.parents[1].name / folder.name
    target = folder / weights.model_file(model_name)
    if not (target.is_file() and is_whole_zip(target)):
        model, _ = load(name)
        weights.save(model, target)
    return model_name, folder


def save(model: ResNetV2, path: str | os.PathLike, passport: Passport) -> None:
    """Write a network under bitdoc's own names, with its passport in the header, whole or not at all.

    Raises
    ------
    WeightsError
        If a weight is not finite, the network is not BiT's, or the file cannot be written.
    """
    tensorfile.write(Path(path), layouts.state(model, "bitdoc"), passport.header())


def _from_path(path: Path, epsilon: float | None, known: bool) -> tuple[ResNetV2, Passport]:
    config: dict[str, Any] = {}
    if path.is_dir():
        config = _json(path / "config.json") | {"preprocessor": _json(path / "preprocessor_config.json")}
        found = next((path / name for name in FILES if (path / name).is_file()), None)
        if found is None:
            raise WeightsError(f"no weights in the folder {path}; expected {' or '.join(FILES)}")
        path = found
    tensors, header = _tensors(path)
    if "architecture" in header and tensorfile.DIGEST not in header:
        raise WeightsError(f"{path} was written by bitdoc and has lost its SHA-256 since; get it, or export it, again")
    layout = layouts.guess(tensors, str(path))
    if layout == "official":
        return _official(path), Passport(npz.guess_architecture(weights.read(path)) or "")
    for name, expected in _AS_BIT.items() if config.get("model_type") == "bit" else ():
        if config.get(name, expected) != expected:
            raise WeightsError(f"{path}: its configuration has {name}={config[name]!r}; BiT's is {expected!r}")
    model = layouts.network(tensors, layout, str(path))
    _same_groups(model, header.get("num_groups", config.get("num_groups")), path)
    passport = Passport.from_header(header, str(path)) if "architecture" in header else _told(model, config)
    if passport.arch != model.arch.name or (passport.classes and len(passport.classes) != model.classes):
        raise WeightsError(
            f"{path} says that it is {passport.arch} with {len(passport.classes)} classes; its tensors are of "
            f"{model.arch.name} with {model.classes}"
        )
    if epsilon is not None:
        layouts.as_with_epsilon(model, epsilon)
    elif not known and layout != "bitdoc" and "architecture" not in header and layouts.epsilon_gap(model) > _FELT:
        print(
            f"{path}: some filters are so small that timm's epsilon of 1e-8 gives other outputs than the authors' "
            f"1e-10; if the network was trained in {layout}, load it with epsilon=1e-8",
            file=sys.stderr,
        )
    return model, passport


def _tensors(path: Path) -> tuple[Mapping[str, Tensor], dict[str, str]]:
    """The tensors of a file by name, and its header; of an official ``.npz`` the names are enough."""
    if path.suffix == ".npz":
        return {name: torch.empty(0) for name in weights.read(path)}, {}
    if path.suffix == ".safetensors":
        return tensorfile.read(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"cannot read the weights file {path}: {error.strerror}") from None
    except pickle.UnpicklingError:
        raise WeightsError(f"{path} holds more than tensors, or is no file of PyTorch's; it is not read") from None
    except Exception:  # torch.load raises a dozen kinds of errors on a damaged file
        raise WeightsError(f"{path} is damaged, or no file of PyTorch's") from None
    if isinstance(found, dict):  # timm's training script keeps the weights beside the rest
        found = next((found[key] for key in ("state_dict", "model") if isinstance(found.get(key), dict)), found)
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsError(f"{path} holds no weights by name; save the network's state_dict()")
    return {str(name).removeprefix("module."): value for name, value in found.items()}, {}


def _official(path: Path) -> ResNetV2:
    arrays = weights.read(path)
    arch, kernel = npz.guess_architecture(arrays), arrays.get("resnet/head/conv2d/kernel")
    if arch is None:
        raise WeightsError(f"{path} is of no architecture that bitdoc knows")
    model = build(arch, 0 if kernel is None else kernel.shape[-1])
    weights.load_into(model, arrays)
    return model.eval()


def _json(path: Path) -> dict[str, Any]:
    """A file of settings; nothing if it is not there."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise WeightsError(f"{path} cannot be read as JSON; get it again") from None
    return found if isinstance(found, dict) else {}


def _same_groups(model: ResNetV2, groups: object, path: Path) -> None:
    """Refuse a number of groups other than BiT's, which no shape would show."""
    if groups is None and model.arch.width < 1:
        raise WeightsError(
            f"{path} is narrower than x1 and does not say how many groups its norms have; put num_groups into the "
            f"file's header or beside it into config.json"
        )
    if groups is not None and str(groups) != str(model.arch.groups):
        raise WeightsError(
            f"{path} has {groups} groups in its norms; a {model.arch.name} of BiT has {model.arch.groups}"
        )


def _told(model: ResNetV2, config: Mapping[str, Any]) -> Passport:
    """What ``config.json`` of timm or transformers tells of classes and pictures."""
    labels = config.get("label_names") or list((config.get("id2label") or {}).values())
    classes = tuple(map(str, labels)) if isinstance(labels, list) and len(labels) == model.classes else ()
    timm, theirs = config.get("pretrained_cfg") or {}, config.get("preprocessor") or {}
    size = theirs.get("size") or {}
    side = size.get("height") or size.get("shortest_edge") or (timm.get("input_size") or [None])[-1]
    bicubic = timm.get("interpolation") == "bicubic" or theirs.get("resample") == 3
    return Passport(model.arch.name, classes, side, "bicubic" if bicubic else "bilinear")
