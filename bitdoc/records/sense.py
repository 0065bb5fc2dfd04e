"""What a run record must say to make sense: the values that its readers rely on, key by key.

A record that parses may still hold an accuracy of 500 or no number of examples. Here is what a known key may hold
wherever it stands, and what the records of each experiment cannot do without. A key that is not listed may hold
anything finite; a listed one that is absent is *not told*, as in records that are older than the key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

#: What is expected, in words, and whether a value is that.
_Kind = tuple[str, Callable[[Any], bool]]


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return _whole(value) or (isinstance(value, float) and math.isfinite(value))


def _maybe(kind: _Kind) -> _Kind:
    return f"{kind[0]} or null", lambda value: value is None or kind[1](value)


def _all(kind: _Kind) -> _Kind:
    return f"a list, each of it {kind[0]}", lambda value: isinstance(value, list) and all(map(kind[1], value))


def _each(keys: tuple[str, ...], kind: _Kind) -> _Kind:
    def told(value: Any) -> bool:
        return isinstance(value, dict) and all(key in value and kind[1](value[key]) for key in keys)

    return f"an object in which {', '.join(keys)} are each {kind[0]}", told


def _finite(value: Any) -> bool:
    """Whether nothing in a value, however deep, is a number that is not finite."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _finite(part) for key, part in value.items())
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


TEXT: _Kind = ("text", lambda value: isinstance(value, str) and value != "")
FLAG: _Kind = ("true or false", lambda value: isinstance(value, bool))
WHOLE: _Kind = ("a whole number", _whole)
COUNT: _Kind = ("a whole number of 1 or more", lambda value: _whole(value) and value >= 1)
NATURAL: _Kind = ("a whole number of 0 or more", lambda value: _whole(value) and value >= 0)
AMOUNT: _Kind = ("a number of 0 or more", lambda value: _number(value) and value >= 0)
SHARE: _Kind = ("a number from 0 to 1", lambda value: _number(value) and 0 <= value <= 1)
PERCENT: _Kind = ("a number from 0 to 100", lambda value: _number(value) and 0 <= value <= 100)
NUMBERS: _Kind = _all(("a number", _number))
TABLE: _Kind = ("an object", lambda value: isinstance(value, dict))
PAIRS: _Kind = _all(("a pair of numbers", lambda value: NUMBERS[1](value) and len(value) == 2))
PLAN: _Kind = ("text or a list of whole numbers", lambda value: TEXT[1](value) or _all(WHOLE)[1](value))
DAY: _Kind = ("a date such as 2026-01-31T12:00:00+00:00, or empty", lambda value: value == "" or _is_date(value))


def _is_date(value: Any) -> bool:
    try:
        return bool(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return False


#: What a known key holds, wherever it stands in these parts of a record.
KNOWN: dict[str, dict[str, _Kind]] = {
    "result": {"top1": PERCENT, "top5": PERCENT, "ece": PERCENT, "loss": _maybe(AMOUNT), "images": COUNT},
    "setting": {
        **dict.fromkeys(("method", "dataset", "encoding", "interpolation", "precision", "norm_kind", "stage"), TEXT),
        **dict.fromkeys(
            ("batch", "split", "resize", "crop", "processes", "steps", "train_images", "test_images"), COUNT
        ),
        **dict.fromkeys(("class_count", "upstream_images"), COUNT),
        **dict.fromkeys(("seed", "upstream_seed"), WHOLE),
        **dict.fromkeys(("base_lr", "mixup", "weight_decay", "penalty"), AMOUNT),
        **dict.fromkeys(("fraction", "random_labels"), SHARE),
        **dict.fromkeys(("compiled", "standardized", "replacement"), FLAG),
        **dict.fromkeys(("weights_sha256", "indices_digest", "train_digest", "test_digest"), _maybe(TEXT)),
        "examples_per_class": _maybe(COUNT),
        "subset_seed": _maybe(WHOLE),
        "schedule": PLAN,
    },
    "cost": {"seconds": AMOUNT, "images_per_second": _maybe(AMOUNT), "peak_memory_bytes": _maybe(NATURAL)},
    "environment": {"device": TEXT},
    "code": {"digest": TEXT, "commit": _maybe(TEXT)},
}

_FEW_SHOT = {"method": TEXT, "examples_per_class": COUNT, "subset_seed": WHOLE, "encoding": TEXT}
_NORMS = {"norm_kind": TEXT, "standardized": FLAG}
_TOP1, _TRAIN = {"top1": PERCENT}, {"train": PERCENT}
_STARTS = ("random", "pre-trained", "fine-tuned")
_MAP = {"labels": _all(NATURAL), **dict.fromkeys(_STARTS, PAIRS), "agreement": _each(_STARTS, PERCENT)}
#: What the records of an experiment cannot do without: in their result, and in their setting.
NEEDED: dict[str, tuple[dict[str, _Kind], dict[str, _Kind]]] = {
    **dict.fromkeys(
        ("few-shot-cifar10", "few-shot-longer", "few-shot-choice", "few-shot-grown", "few-shot-grown-choice"),
        (_TOP1, _FEW_SHOT),
    ),
    "few-shot-short-rule": (_TOP1, _FEW_SHOT | {"crop": COUNT, "schedule": _all(COUNT)}),
    "pretrain": (_TOP1, {}),
    "grow": (_TOP1, {"stage": TEXT}),
    "likeness": (dict.fromkeys(("birth", "noise", "end"), ("a number", _number)), {}),
    "mixup-study": (_TOP1, {}),
    **dict.fromkeys(("mixup-middle", "mixup-middle-choice"), (_TOP1 | _TRAIN, {"mixup": AMOUNT, "base_lr": AMOUNT})),
    "mixup-half-moons": (_TOP1 | _TRAIN, {"mixup": AMOUNT, "flipped_labels": SHARE}),
    **dict.fromkeys(
        ("mixup-memorize", "mixup-memorize-choice", "mixup-memorize-best-rate"),
        (_TOP1 | _TRAIN, {"mixup": AMOUNT, "random_labels": SHARE, "base_lr": AMOUNT}),
    ),
    **dict.fromkeys(("norm-batch-size", "norm-batch-size-choice"), (_TOP1, _NORMS)),
    "norm-equal-updates": (_TOP1 | {"held_out": PERCENT}, _NORMS | {"batch": COUNT, "lr": AMOUNT, "seed": WHOLE}),
    "feature-map": (_MAP, {"classes": _all(TEXT), **dict.fromkeys(("examples_per_class", "drawn"), COUNT)}),
    "performance": (dict.fromkeys(("evaluation", "step", "overhead", "memory"), TABLE), {}),
    "retinanet-rectangles": (
        dict.fromkeys(("before", "after", "found"), ("a list", lambda v: isinstance(v, list))),
        {},
    ),
}
#: The same, for records whose setting says that: a figure draws what only such runs have.
NEEDED_WITH: tuple[tuple[str, Callable[[Mapping[str, Any]], bool], dict[str, _Kind]], ...] = (
    *(
        (name, lambda s: s.get("method") == "fine-tune", {"base_lr": AMOUNT, "resize": COUNT, "crop": COUNT})
        for name in ("few-shot-choice", "few-shot-grown-choice")
    ),
    ("few-shot-choice", lambda s: s.get("method") == "linear-probe", {"penalty": AMOUNT}),
    ("pretrain", lambda s: "fraction" in s, {"steps": COUNT, "batch": COUNT}),
)


def complaint(raw: Mapping[str, Any]) -> str | None:
    """What is wrong with a record, given as its fields; None if it makes sense."""
    for name in ("experiment", "name", "model"):
        if not TEXT[1](raw[name]):
            return f"the field {name!r} is empty"
    if not DAY[1](raw["date"]):
        return _unlike("date", raw["date"], DAY)
    for part in ("setting", "result", "cost", "environment", "code", "curve"):
        if not _finite(raw[part]):
            return f"{part!r} holds a number that is not finite"
        for key, kind in KNOWN.get(part, {}).items():
            if key in raw[part] and not kind[1](raw[part][key]):
                return _unlike(f"{part}: {key}", raw[part][key], kind)
    return _unlike_curve(raw["curve"]) or _missing(raw)


def _missing(raw: Mapping[str, Any]) -> str | None:
    result, setting = NEEDED.get(raw["experiment"], ({}, {}))
    for experiment, holds, more in NEEDED_WITH:
        if experiment == raw["experiment"] and holds(raw["setting"]):
            setting = setting | more
    for part, needed in (("result", result), ("setting", setting)):
        for key, kind in needed.items():
            if key not in raw[part]:
                return f"{part}: {key!r} is missing, expected {kind[0]}"
            if not kind[1](raw[part][key]):
                return _unlike(f"{part}: {key}", raw[part][key], kind)
    return None


def _unlike_curve(curve: Mapping[str, Any]) -> str | None:
    for key, values in curve.items():
        if not NUMBERS[1](values):
            return _unlike(f"curve: {key}", values, NUMBERS)
    if len({len(values) for values in curve.values()}) > 1:
        return "the lists of the curve differ in length"
    return None


def _unlike(what: str, value: Any, kind: _Kind) -> str:
    shown = repr(value)
    return f"{what} is {shown if len(shown) < 40 else shown[:36] + '...'}, expected {kind[0]}"
