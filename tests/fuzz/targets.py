"""What is fuzzed. A target makes one wrong input and sees that it is refused in one line, or used as it is.

A target takes its random numbers and an empty folder, and raises whatever it finds: an error of another kind than the
package promises, or :class:`AssertionError` for a wrong value, a false record or a file left half-written.
"""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np
import torch
from fuzz.mutations import mutated, odd
from PIL import Image
from torch import nn

from bitdoc import data, exchange, pretrain, train
from bitdoc.network import weights
from bitdoc.network.resnet import ResNetV2, build
from bitdoc.records import runs
from bitdoc.training.checkpoint import fitted, read_state
from bitdoc.training.engine import TrainingError
from bitdoc.training.recipe import Recipe


def one_line(error: BaseException, *parts: object) -> None:
    """An error's text is one line and names what it is about."""
    text = str(error)
    assert text and "\n" not in text, repr(text)
    assert all(str(part) in text for part in parts), text


@cache
def samples() -> list[tuple[str, bytes]]:
    """Whole pictures of every kind: their ending and their bytes."""
    grey = np.linspace(0, 255, 12 * 20).reshape(12, 20).astype(np.uint8)
    color = np.stack([grey, grey[::-1], grey[:, ::-1]], 2)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = []
    for suffix, pixels, options in (
        *((suffix, color, {}) for suffix in (".jpg", ".png", ".bmp", ".ppm", ".webp", ".gif", ".tif")),
        *((suffix, color, {"exif": exif}) for suffix in (".jpg", ".png", ".webp")),
        *((suffix, grey, {}) for suffix in (".jpg", ".png", ".pgm", ".gif")),
        *((suffix, grey.astype(np.uint16) * 257, {}) for suffix in (".png", ".tif", ".pgm")),
        (".tif", (grey / 255).astype(np.float32), {}),
        (".tif", color, {"compression": "tiff_lzw"}),
        (".jpg", color, {"progressive": True, "quality": 90}),
        (".pbm", grey > 99, {}),
    ):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, Image.registered_extensions()[suffix], **options)
        found.append((suffix, buffer.getvalue()))
    return found


def pictures(chance: Random, folder: Path) -> None:
    """A class folder, with pictures that are wrong and things in it that are no pictures."""
    for kind in chance.sample(["cat", "dog", ".hidden", "__MACOSX", "ü ", "9"], chance.choice((1, 2, 3))):
        (folder / "train" / kind).mkdir(parents=True)
        for i in range(0 if chance.random() < 0.03 else chance.choice((1, 2, 4))):
            suffix, raw = chance.choice(samples())
            if chance.random() < 0.1:
                suffix = chance.choice((".jpg", ".TIF", ".txt", "", ".npy"))
            path = folder / "train" / kind / f"{chance.choice(('', '', '', '', '.', '._'))}{i}{suffix}"
            what = chance.random()
            if what < 0.03 and hasattr(os, "mkfifo"):
                os.mkfifo(path)
            elif what < 0.06:
                path.mkdir()
            elif what < 0.09:
                path.symlink_to(chance.choice((path, folder / "nowhere")))
            else:
                path.write_bytes(raw if chance.random() < 0.4 else mutated(raw, chance))
    try:
        with redirect_stderr(io.StringIO()):
            images = data.load("folder", "train", folder, workers=2)
            pixels = images.fetch(torch.arange(len(images)), 8)
            height, width = images.size
    except data.DataError as error:
        return one_line(error, folder)
    assert pixels.shape == (len(images), 3, 8, 8) and pixels.dtype == torch.uint8
    assert len(images) > 0 and height > 0 and width > 0
    assert sorted(set(images.labels.tolist())) == list(range(len(images.classes)))
    assert not any(name.startswith(".") for name in images.classes)


@cache
def network() -> ResNetV2:
    torch.manual_seed(0)
    return build("R14x0.0625", 3, zero_head=False)


def _equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def weights_file(chance: Random, folder: Path) -> None:
    """An archive of weights with bytes changed: refused, or loaded as what it was."""
    path = folder / "BiT-M-R14x0.0625.npz"
    weights.save(network(), path)
    path.write_bytes(mutated(path.read_bytes(), chance))
    model = build("R14x0.0625", 3)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    try:
        weights.load_into(model, path)
    except weights.WeightsError as error:
        one_line(error, path)
        assert _equal(before, model.state_dict()), "a refused file has changed the model"
    else:
        assert _equal(network().state_dict(), model.state_dict()), "a damaged file was loaded"
    assert list(folder.iterdir()) == [path]
    with mock.patch.dict(os.environ, {"BITDOC_CACHE": str(folder / "cache")}), redirect_stderr(io.StringIO()):
        try:
            assert weights.find("BiT-M-R14x0.0625", folder) == path
        except weights.WeightsError as error:
            one_line(error, path)


def safetensors_file(chance: Random, folder: Path) -> None:
    """A network in safetensors with bytes changed: refused, or loaded as what it was, names of classes and all."""
    path, passport = folder / "x.safetensors", exchange.Passport("R14x0.0625", ("a", "b", "c"), 32, license="MIT")
    exchange.save(network(), path, passport)
    path.write_bytes(mutated(path.read_bytes(), chance))
    try:
        model, found = exchange.load(path)
    except weights.WeightsError as error:
        one_line(error, path)
    else:
        assert _equal(network().state_dict(), model.state_dict()) and found == passport, "a damaged file was loaded"
    assert list(folder.iterdir()) == [path]


def tensors(chance: Random, folder: Path) -> None:
    """A sound archive whose tensors are not what they should be."""
    path = folder / "x.npz"
    weights.save(network(), path)
    arrays = dict(np.load(path))
    for _ in range(chance.choice((1, 2))):
        key = chance.choice(list(arrays))
        what, array = chance.randrange(7), arrays[key]
        if what == 0:
            arrays[key] = array.astype(chance.choice((">f4", "<f8", "f2", np.longdouble, "i4", "c8", "U4", "?", "S3")))
        elif what == 1:
            arrays[key] = np.full_like(array, chance.choice((np.nan, np.inf, -np.inf, 3e38, 0)))
        elif what == 2:
            arrays[key] = chance.choice((array[:0], array[..., None], array.T, array.reshape(-1), np.float32(1)))
        elif what == 3:
            del arrays[key]
        elif what == 4:
            arrays[chance.choice(("x", "../x", "resnet/x", key + "_1", "ü"))] = array
        elif what == 5:
            arrays[key] = np.array([{"a": 1}], dtype=object)
        else:
            arrays[key] = np.asfortranarray(array)
    np.savez(path, **arrays)
    model = build("R14x0.0625", 3)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for source in (path, arrays):
        try:
            weights.load_into(model, source, head=chance.choice(("keep", "new")))
        except weights.WeightsError as error:
            one_line(error)
            assert _equal(before, model.state_dict()), "a refused file has changed the model"
        assert all(value.isfinite().all() for value in model.state_dict().values())
        model.load_state_dict(before)


@cache
def _checkpoint() -> tuple[bytes, dict]:
    torch.manual_seed(0)
    model = nn.Linear(40, 30)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(2, 40)).sum().backward()
    optimizer.step()
    state = {"model": dict(model.state_dict()), "optimizer": optimizer.state_dict(), "step": 7, "run": {"a": 1}}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue(), state


def checkpoint(chance: Random, folder: Path) -> None:
    """A checkpoint with bytes or values changed: passed over, refused by name, or loaded as what it was."""
    raw, whole = _checkpoint()
    path = folder / "bit.pt"
    in_bytes = chance.random() < 0.6
    if in_bytes:
        path.write_bytes(mutated(raw, chance))
    else:
        torch.save(odd(torch.load(io.BytesIO(raw), weights_only=True), chance), path)
    model = nn.Linear(40, 30)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    try:
        with redirect_stdout(io.StringIO()):
            state = read_state(path)
        if state is not None:
            fitted(path, model, optimizer, state)
    except TrainingError as error:
        return one_line(error, path)
    if state is not None and in_bytes:
        assert _equal(whole["model"], state["model"]) and state["step"] == 7, "a damaged checkpoint was loaded"
    if state is not None:
        assert all(value.isfinite().all() for value in model.parameters())


@cache
def _records() -> list[Path]:
    return sorted((Path(runs.__file__).parent / "results").rglob("*.json"))


def record(chance: Random, folder: Path) -> None:
    """A run record with bytes or values changed: refused by file and field, or one that can be used."""
    source = chance.choice(_records())
    raw, experiment = source.read_bytes(), source.parent.name
    path = folder / experiment / (source.name if chance.random() < 0.9 else "another.json")
    path.parent.mkdir()
    if chance.random() < 0.4:
        path.write_bytes(mutated(raw, chance))
    elif chance.random() < 0.1:
        path.write_text(chance.choice(("[", '{"a":', "(")) * chance.choice((3, 100_000)))
    else:
        path.write_text(json.dumps(odd(json.loads(raw), chance)))
    try:
        with mock.patch.dict(os.environ, {"BITDOC_RESULTS": str(folder)}):
            found = runs.read(path)
            for each in runs.load(experiment):
                assert each.name == found.name
                assert runs.provenance([each])
            runs.write(found, folder / "again.json")
    except runs.RecordError as error:
        return one_line(error, path.name)
    assert runs.read(folder / "again.json") == found
    assert not list(folder.rglob("*.part"))


@cache
def _folders() -> Path:
    """Data for the commands: two classes, three, a test set of other classes, a damaged picture, nothing."""
    import tempfile

    from folders import make_folders

    root = Path(tempfile.mkdtemp(prefix="bitdoc-fuzz-"))
    make_folders(root / "two", size=(16, 16))
    make_folders(root / "three", ("ant", "bee", "cat"), 4, size=(16, 16))
    make_folders(root / "wide", ("ant", "bee"), size=(12, 20))
    make_folders(root / "apart", size=(16, 16))
    (root / "apart" / "test" / "dog").rename(root / "apart" / "test" / "cow")
    make_folders(root / "damaged", size=(16, 16))
    (root / "damaged" / "train" / "cat" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (root / "nothing").mkdir()
    weights.save(network(), root / "BiT-M-R14x0.0625.npz")
    (root / "BiT-M-R14x0.125.npz").write_bytes(b"PK\x03\x04")
    return root


#: Flags of both commands with values that may or may not be sensible.
_NUMBERS = ("1", "2", "3", "8", "0", "-1", "1e9", "nan", "inf", "", "x", "4.5", "9" * 30, "0x8", "\u0661", " 2")
_RATES = ("0.01", "0.1", "0", "-1", "nan", "inf", "1e-400", "1e30", "x", "")
_NAMES = ("run", "other", "..", "a/b", "/x", "", "ü", "a b", "\n", "x" * 300, ".hidden", "run.json", "-x", "~")
_MODELS = (
    *("R14x0.0625", "BiT-M-R14x0.0625", "BiT-M-R14x0.125", "BiT-L-R50x1", "BiT-T-R14x1", "R050x1", "R50x9000000"),
    *("R14x0.1", "R14", "", "BiT-", "BiT-M-R14x0.0625-x", "../R14x0.0625", "r14x1", "R14x\u0661"),
)
TRAIN = {
    "--name": _NAMES,
    "--model": _MODELS,
    "--dataset": ("folder", "cifar10", "imagenet2012", "mnist", ""),
    "--datadir": ("two", "three", "wide", "apart", "damaged", "nothing", "nowhere", "~nosuchuser"),
    "--bit_pretrained_dir": (".", "nowhere", "~nosuchuser"),
    "--examples_per_class": _NUMBERS,
    "--examples_per_class_seed": _NUMBERS,
    "--batch": _NUMBERS,
    "--batch_split": _NUMBERS,
    "--base_lr": _RATES,
    "--eval_every": _NUMBERS,
    "--workers": _NUMBERS,
    "--precision": ("float32", "bfloat16", "float64", ""),
}
PRETRAIN = {
    "--model": _MODELS,
    "--dataset": ("folder", "cifar10", "mnist"),
    "--datadir": TRAIN["--datadir"],
    "--phases": ("8x1", "8x1,12x0.5", "0x1", "8x0", "8x-1", "8", "x", "", "8x1 ,8x1", "8x1e9", "nanxnan", "8x1,"),
    "--batch": _NUMBERS,
    "--base_lr": _RATES,
    "--weight_decay": _RATES,
    "--warmup": ("0", "0.5", "1", "2", "-1", "nan"),
    "--schedule": ("linear", "cosine", "staircase", "", "x"),
    "--smallest_crop": ("0.5", "1", "0", "2", "-1", "nan"),
    "--mixup": _RATES,
    "--noise": _RATES,
    "--fraction": ("1", "0.5", "0", "2", "nan", "-1"),
    "--seed": _NUMBERS,
    "--norm_kind": ("group", "batch", "none", "x"),
    "--grow_from": ("", "BiT-M-R14x0.0625", "BiT-T-R14x1", "x"),
}


def _arguments(chance: Random, usual: dict[str, str], all_: dict[str, tuple[str, ...]], root: Path) -> list[str]:
    told = dict(usual)
    for flag in chance.sample(sorted(all_), chance.choice((0, 1, 1, 2, 3))):
        told[flag] = chance.choice(all_[flag])
    for flag in ("--datadir", "--bit_pretrained_dir"):
        if flag in told and not told[flag].startswith("~"):
            told[flag] = str(root / told[flag])
    if chance.random() < 0.05:
        del told[chance.choice(sorted(told))]
    return [f"{flag}={value}" for flag, value in told.items()]


def _short(examples: int, size: tuple[int, int], **changes) -> Recipe:
    return Recipe(16, 12, (0, 1, 1, 1, 2), **changes)


def _said(module, arguments: list[str]) -> tuple[int, str]:
    """Status of a command, and what it wrote to standard error."""
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        try:
            status = module.main(arguments)
        except SystemExit as end:  # of the parser
            status = end.code if isinstance(end.code, int) else 1
    return status, said.getvalue()


def _ended_well(status: int, said: str, folder: Path, arguments: list[str]) -> bool:
    """Whether a command succeeded; one that did not has said why in one line, and nothing is left half-written."""
    assert not list(folder.rglob("*.part")), arguments
    assert status in (0, 1, 2), (status, arguments)
    if status:
        assert said.strip().splitlines()[-1].lstrip().startswith("error:") or ": error: " in said, (said, arguments)
        assert "Traceback" not in said and said.count("error:") == 1, (said, arguments)
    return status == 0


IMAGES = {"two": 6, "three": 12, "wide": 6}
CLASSES = {"two": 2, "three": 3, "wide": 2}


def train_command(chance: Random, folder: Path) -> None:
    """One or two fine-tunings in one folder of logs: each leaves a record that is true, or a line that says why not."""
    root = _folders()
    usual = {"--name": "run", "--model": "R14x0.0625", "--dataset": "folder", "--datadir": "two", "--batch": "4"}
    home = {"BITDOC_CACHE": str(folder / "cache"), "BITDOC_RESULTS": str(folder / "results")}
    with mock.patch.dict(os.environ, home), mock.patch.object(train, "rule", _short):
        for _ in range(chance.choice((1, 2))):
            told = _arguments(chance, usual | {"--bit_pretrained_dir": "."}, TRAIN, root)
            arguments = [*told, f"--logdir={folder / 'logs'}"]
            before = {path: path.read_bytes() for path in folder.rglob("run.json") if path.is_file()}
            status, said = _said(train, arguments)
            after = {path: path.read_bytes() for path in folder.rglob("run.json") if path.is_file()}
            if not _ended_well(status, said, folder, arguments):
                assert before == after, f"a run that failed left a record: {arguments}"
                continue
            values = dict(argument.split("=", 1) for argument in told)
            found = runs.read(folder / "logs" / values["--name"] / "run.json")
            source, shots = Path(values["--datadir"]).name, values.get("--examples_per_class")
            assert 0 <= found.result["top1"] <= 100 and found.model == values["--model"]
            expected = CLASSES[source] * int(shots) if shots else IMAGES[source]
            assert found.setting["train_images"] == expected, arguments
            assert found.setting["batch"] == int(values.get("--batch", 512)), arguments
            assert all(path.is_relative_to(folder / "logs") for path in after), "a name led out of the folder of logs"


def pretrain_command(chance: Random, folder: Path) -> None:
    """One or two pre-trainings in one folder."""
    root = _folders()
    usual = {"--model": "R14x0.0625", "--dataset": "folder", "--datadir": "two", "--phases": "8x1", "--batch": "4"}
    home = {"BITDOC_CACHE": str(folder / "cache"), "BITDOC_RESULTS": str(folder / "results")}
    with mock.patch.dict(os.environ, home):
        for _ in range(chance.choice((1, 2))):
            told = _arguments(chance, usual, PRETRAIN, root)
            arguments = [*told, f"--workdir={folder / 'work'}", f"--bit_pretrained_dir={root}"]
            before = {path: path.read_bytes() for path in folder.rglob("*.json")}
            status, said = _said(pretrain, arguments)
            after = {path: path.read_bytes() for path in folder.rglob("*.json")}
            if not _ended_well(status, said, folder, arguments):
                assert before == after, f"a run that failed left a record: {arguments}"
                continue
            values = dict(argument.split("=", 1) for argument in told)
            for path in after.keys() - before.keys():
                found = runs.read(path)
                assert 0 <= found.result["top1"] <= 100
                for key in ("schedule", "phases", "dataset", "model"):
                    if f"--{key}" in values:
                        assert found.setting[key] == values[f"--{key}"].replace(" ", ""), arguments


TARGETS = {
    "pictures": pictures,
    "weights": weights_file,
    "safetensors": safetensors_file,
    "tensors": tensors,
    "checkpoints": checkpoint,
    "records": record,
    "train": train_command,
    "pretrain": pretrain_command,
}
