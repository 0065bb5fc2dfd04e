"""The page's lines for a machine without this package, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import bitdoc
from bitdoc import exchange
from bitdoc.exchange.exports import export
from bitdoc.exchange.passport import Passport
from bitdoc.network.resnet import build

PAGE = Path(__file__).parents[2] / "docs" / "own-pictures.md"


def lines() -> dict[str, str]:
    """The section's blocks of Python, by the library that each is for."""
    section = PAGE.read_text(encoding="utf-8").split("(take-it-elsewhere)=")[1]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    found = {name: block for block in blocks for name in ("onnxruntime", "transformers", "timm") if name in block}
    assert len(found) == len(blocks) == 3 and "bitdoc" not in "".join(blocks)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("library", ["onnxruntime", "transformers", "timm"])
def test_each_library_names_the_class_that_we_do(library, tmp_path, monkeypatch, capsys, randomize):
    pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    with torch.device("meta"):  # a published size is what timm wants
        model = build("R50x1" if library == "timm" else "R14x0.125", 5)
    model, names = randomize(model.to_empty(device="cpu")).eval(), ("ä", "b", "c", "d", "e")
    passport = Passport(model.arch.name, names, 40, "bicubic", {}, "MIT")
    exchange.save(model, "my_pictures/run/model.safetensors", passport)
    export(model, passport, "onnx" if library == "onnxruntime" else library, "my_pictures/run/export")
    Path("new").mkdir()
    rough = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(rough).resize((60, 45), Image.Resampling.BICUBIC).save("new/2.png")
    capsys.readouterr()
    exec(lines()[library], {})
    classifier = bitdoc.load("my_pictures/run")
    with torch.no_grad():
        shares = classifier(classifier.preprocess("new/2.png")[None]).softmax(1)[0]
    assert shares.max() > 0.21, "no class stands out, so that any answer would do"
    assert capsys.readouterr().out.splitlines()[-1] == names[shares.argmax()]
