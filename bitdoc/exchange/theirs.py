"""The same network as other libraries build it; each library is imported when it is asked for."""

from __future__ import annotations

import importlib
from functools import partial
from types import ModuleType
from typing import Any

from torch import nn

from bitdoc.exchange.layouts import THEIR_EPS
from bitdoc.exchange.passport import MEAN, STD, Passport
from bitdoc.network.resnet import architecture
from bitdoc.network.weights import WeightsError

_RESAMPLE = {"bilinear": 2, "bicubic": 3}  # Pillow's numbers


def library(name: str, install: str = "") -> ModuleType:
    """Import a library; a :class:`~bitdoc.network.weights.WeightsError` says how to install one that is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        wanted = install or name.partition(".")[0]
        raise WeightsError(f"{name.partition('.')[0]} is not installed; this needs it: pip install {wanted}") from None


def timm_name(arch: str) -> str | None:
    """What timm's registry calls an architecture: ``resnetv2_50x1_bit``; None for sizes that it has no name for."""
    name = f"resnetv2_{arch[1:]}_bit"
    return name if library("timm").is_model(name) else None


def in_timm(arch: str, classes: int) -> nn.Module:
    """Timm's network of any size, with random weights; its registry has the six published sizes alone."""
    resnetv2, size = library("timm.models.resnetv2"), architecture(arch)
    return resnetv2.ResNetV2(
        size.blocks,
        num_classes=classes,
        width_factor=size.width,
        stem_type="fixed",
        conv_layer=partial(resnetv2.StdConv2d, eps=THEIR_EPS),
        norm_layer=partial(resnetv2.GroupNormAct, num_groups=size.groups),
    ).eval()


def timm_config(passport: Passport, classes: int) -> dict[str, Any]:
    """The ``config.json`` with which ``timm.create_model("local-dir:...")`` builds the network and its transforms."""
    side = passport.side or 224
    pictures = {"input_size": [3, side, side], "interpolation": passport.interpolation, "crop_pct": 1.0}
    pictures |= {"crop_mode": "squash", "mean": list(MEAN), "std": list(STD), "pool_size": [-(-side // 32)] * 2}
    places = {"first_conv": "stem.conv", "classifier": "head.fc", "num_classes": classes, "custom_load": False}
    config: dict[str, Any] = {"num_classes": classes, "num_groups": architecture(passport.arch).groups}
    if name := timm_name(passport.arch):
        config = {"architecture": name} | config
    if passport.classes:
        config["label_names"] = list(passport.classes)
    return config | {"pretrained_cfg": {"tag": "bitdoc", "license": passport.license} | pictures | places}


def transformers_config(passport: Passport, classes: int) -> dict[str, Any]:
    """The settings of transformers' ``BitConfig`` for the network.

    Raises
    ------
    WeightsError
        If the network is narrower than x0.125: transformers rounds channels to multiples of 8.
    """
    size = architecture(passport.arch)
    if size.channels(64) % 8:
        raise WeightsError(
            f"transformers makes channels in eights, which {passport.arch} has not; networks from x0.125 on can go"
        )
    names = passport.classes or [f"LABEL_{n}" for n in range(classes)]
    return {
        "embedding_size": size.channels(64),
        "hidden_sizes": [size.channels(256 * 2**stage) for stage in range(4)],
        "depths": list(size.blocks),
        "num_groups": size.groups,
        "id2label": dict(enumerate(names)),
        "label2id": {name: n for n, name in enumerate(names)},
        "architectures": ["BitForImageClassification"],
    }


def transformers_pictures(passport: Passport) -> dict[str, Any]:
    """The ``preprocessor_config.json`` of ``BitImageProcessor`` that does to a picture what is done here."""
    side = passport.side or 224
    return {
        "image_processor_type": "BitImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": side, "width": side},
        "resample": _RESAMPLE[passport.interpolation],
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(STD),
    }
