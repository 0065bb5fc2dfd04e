"""Write a network for other programs, load what was written with theirs, and compare before anything is kept."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bitdoc.exchange import layouts, loading, tensorfile, theirs
from bitdoc.exchange.folded import folded
from bitdoc.exchange.passport import Passport
from bitdoc.network import weights
from bitdoc.network.resnet import ResNetV2
from bitdoc.network.weights import WeightsError
from bitdoc.records.files import FileError, held

#: How far logits of the written network may be from those of the network, in parts of the largest of them.
TOLERANCE = 1e-4
#: An ONNX file holds two gigabytes at most; the weights of a larger network go into a second file beside it.
_ONNX_MOST = 1_900_000_000


@dataclass(frozen=True)
class Target:
    """A format: the name of what is written, how it is written, the logits of what was written, and how it is used."""

    name: str
    write: Callable[[ResNetV2, Passport, Path], None]
    logits: Callable[[Path, Tensor], Tensor]
    use: str


def export(model: ResNetV2, passport: Passport, to: str, place: str | os.PathLike) -> tuple[Path, float]:
    """Write ``model`` for other programs, and keep it only if they compute the same with it.

    Parameters
    ----------
    to : str
        A key of :data:`TARGETS`.
    place : path
        Folder in which the file, or the folder, is put under the target's name; what an earlier export left there is
        replaced.

    Returns
    -------
    path, difference
        What was written; the largest difference of a logit, in parts of the largest logit (or of 1, if that is more).

    Raises
    ------
    WeightsError
        If ``to`` is unknown, a library is missing, the network cannot be held in the format, the logits differ by more
        than :data:`TOLERANCE`, or the place cannot be written to. Nothing is left behind then.
    """
    if to not in TARGETS:
        raise WeightsError(f"unknown format {to!r}; choose one of {', '.join(TARGETS)}")
    if not model.classes:
        raise WeightsError("a network without a head has no logits to compare; give it a head before it is exported")
    target, path = TARGETS[to], Path(place) / TARGETS[to].name
    try:
        with held(path, "written"), _workshop(path) as made:
            target.write(model, passport, made / path.name)
            difference = compared(model, passport, target, made / path.name)
            _put(made / path.name, path)
    except FileError as error:
        raise WeightsError(str(error)) from None
    except OSError as error:
        raise WeightsError(f"cannot write {path}: {error.strerror or error}") from None
    return path, difference


def use(to: str, path: Path, passport: Passport) -> str:
    """A line of Python that loads what :func:`export` wrote, with the library that it was written for."""
    if to == "timm" and theirs.timm_name(passport.arch) is None:
        return f"bitdoc.exchange.theirs.in_timm({passport.arch!r}, ...) builds it: timm has no name for this size"
    return TARGETS[to].use.format(str(path))


@contextmanager
def _workshop(path: Path) -> Iterator[Path]:
    """A folder beside ``path`` that is gone when the block ends; one that a killed process left is emptied first."""
    made = path.with_name(f".{path.name}.part")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@torch.no_grad()
def compared(model: ResNetV2, passport: Passport, target: Target, path: Path) -> float:
    """How far the logits of what lies at ``path`` are from the network's; an error if it is too far."""
    side = passport.side or 224
    pictures = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected, found = model(pictures), target.logits(path, pictures)
    if found.shape != expected.shape:
        raise WeightsError(f"{target.name} gives logits of shape {(*found.shape,)}, expected {(*expected.shape,)}")
    difference = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
    if not difference <= TOLERANCE:
        raise WeightsError(
            f"{target.name} was written, but its logits differ by {difference:.1e}, more than {TOLERANCE:.0e}, so "
            f"it is not kept{_why(model, target)}"
        )
    return difference


def _why(model: ResNetV2, target: Target) -> str:
    gap = layouts.epsilon_gap(model) if target.name in ("timm", "transformers") else 0.0
    felt = f"; {target.name}'s epsilon of 1e-8 changes the network's smallest filters by {gap:.1%}"
    return felt if gap > 1e-3 else ""


def _put(new: Path, path: Path) -> None:
    """Move what was made into its place; a folder that lies there goes aside first, if an export made it."""
    if path.is_dir():
        if foreign := sorted({file.name for file in path.iterdir()} - _OURS):
            raise WeightsError(f"{path} holds {foreign[0]}, which no export wrote; move it, or choose another place")
        os.replace(path, new.with_name("earlier"))
    for more in new.parent.glob(f"{new.name}.data"):  # the weights of a large ONNX network
        os.replace(more, path.with_name(more.name))
    os.replace(new, path)


def _write_safetensors(model: ResNetV2, passport: Passport, path: Path) -> None:
    loading.save(model, path, passport)


def _write_npz(model: ResNetV2, passport: Passport, path: Path) -> None:
    weights.save(model, path)


def _loaded(path: Path, pictures: Tensor) -> Tensor:
    return loading.load(path)[0](pictures)


def _write_timm(model: ResNetV2, passport: Passport, path: Path) -> None:
    path.mkdir()
    _write_json(path / "config.json", theirs.timm_config(passport, model.classes))
    tensorfile.write(path / "model.safetensors", layouts.state(model, "timm"), passport.header())


def _timm(path: Path, pictures: Tensor) -> Tensor:
    passport = loading.load(path)[1]
    if theirs.timm_name(passport.arch):
        return theirs.library("timm").create_model(f"local-dir:{path}", pretrained=True).eval()(pictures)
    tensors, _ = tensorfile.read(path / "model.safetensors")
    network = theirs.in_timm(passport.arch, len(tensors["head.fc.weight"]))
    network.load_state_dict(tensors)
    return network(pictures)


def _write_transformers(model: ResNetV2, passport: Passport, path: Path) -> None:
    config = theirs.library("transformers").BitConfig(**theirs.transformers_config(passport, model.classes))
    config.save_pretrained(path)
    _write_json(path / "preprocessor_config.json", theirs.transformers_pictures(passport))
    tensorfile.write(path / "model.safetensors", layouts.state(model, "transformers"), passport.header())


def _transformers(path: Path, pictures: Tensor) -> Tensor:
    network = theirs.library("transformers").BitForImageClassification
    bars = theirs.library("transformers.utils.logging")
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()  # of a file that was written a moment ago
    try:
        return network.from_pretrained(path, local_files_only=True).eval()(pictures).logits
    finally:
        if shown:
            bars.enable_progress_bar()


def _example(passport: Passport) -> Tensor:
    """Two pictures: a batch of one would be taken for the only size there is."""
    side = passport.side or 224
    return torch.zeros(2, 3, side, side)


def _write_onnx(model: ResNetV2, passport: Passport, path: Path) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        theirs.library(name, "onnx onnxscript onnxruntime")
    plain = folded(model)
    program = torch.onnx.export(
        plain,
        (_example(passport),),
        input_names=["pictures"],
        output_names=["logits"],
        dynamic_shapes={"x": {0: torch.export.Dim("batch")}},
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # it is None for the older exporter alone
    program.model.metadata_props.update(passport.header())
    size = sum(value.numel() * 4 for value in plain.state_dict().values())
    program.save(path, external_data=size > _ONNX_MOST)


def _onnx(path: Path, pictures: Tensor) -> Tensor:
    session = theirs.library("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"pictures": pictures.numpy()})[0])


def _write_program(model: ResNetV2, passport: Passport, path: Path) -> None:
    dynamic = {"x": {0: torch.export.Dim("batch")}}
    program = torch.export.export(folded(model), (_example(passport),), dynamic_shapes=dynamic)
    torch.export.save(program, path, extra_files={"passport.json": json.dumps(passport.header())})


def _program(path: Path, pictures: Tensor) -> Tensor:
    return torch.export.load(path).module()(pictures)


def _write_json(path: Path, settings: dict) -> None:
    path.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


_OURS = {"config.json", "preprocessor_config.json", "model.safetensors"}

#: What a network can be written for, by the name that ``bitdoc export --to`` takes.
TARGETS = {
    "safetensors": Target("model.safetensors", _write_safetensors, _loaded, "bitdoc.exchange.load({!r})"),
    "npz": Target("model.npz", _write_npz, _loaded, "bitdoc.exchange.load({!r}); the authors' code reads it too"),
    "timm": Target("timm", _write_timm, _timm, "timm.create_model('local-dir:{}', pretrained=True)"),
    "transformers": Target(
        "transformers", _write_transformers, _transformers, "transformers.pipeline('image-classification', {!r})"
    ),
    "onnx": Target("model.onnx", _write_onnx, _onnx, "onnxruntime.InferenceSession({!r})"),
    "torch.export": Target("model.pt2", _write_program, _program, "torch.export.load({!r}).module()"),
}
