"""``bitdoc export`` as a user meets it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from bitdoc import exchange
from bitdoc.exchange.exports import TARGETS
from bitdoc.exchange.passport import Passport
from bitdoc.main import FORMATS, main


@pytest.fixture
def run(tmp_path, tiny):
    """A folder with a network as ``bitdoc probe`` leaves it."""
    passport = Passport("R14x0.125", tuple("abcde"), 32, "bicubic", {"method": "linear probe"}, "MIT", "BiT-T-R26x0.5")
    exchange.save(tiny, tmp_path / "run" / "model.safetensors", passport)
    return tmp_path / "run"


def test_the_command_offers_what_there_is():
    assert tuple(TARGETS) == FORMATS


def test_two_formats_at_once(run, capsys):
    assert main(["export", str(run), "--to", "npz", "--to", "torch.export"]) == 0
    out = capsys.readouterr().out
    assert sorted(path.name for path in run.iterdir()) == ["export", "model.safetensors"]
    assert sorted(path.name for path in (run / "export").iterdir()) == ["model.npz", "model.pt2"]
    assert out.count("loaded again, logits equal to 1e-07") >= 1
    line = next(line for line in out.splitlines() if "torch.export.load" in line)
    assert torch.is_tensor(eval(line, {"torch": torch})(torch.zeros(1, 3, 32, 32)))


@pytest.mark.slow
def test_every_line_that_is_told_loads_what_was_written(run, capsys):
    pytest.importorskip("transformers"), pytest.importorskip("onnxruntime")
    done = main(
        ["export", str(run), "--to", "transformers", "--to", "onnx", "--to", "safetensors", "--out", str(run / "x")]
    )
    assert done == 0
    import onnxruntime
    import transformers

    import bitdoc

    names = {"transformers": transformers, "onnxruntime": onnxruntime, "bitdoc": bitdoc}
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert len(lines) == 3 and all(eval(line.strip(), dict(names)) for line in lines)


def test_weights_by_name_want_a_place(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "BiT-T-R26x0.5", "--to", "npz"]) == 2
    assert "BiT-T-R26x0.5 is no folder of a run, so --out has to say where to write" in capsys.readouterr().err
    assert main(["export", "BiT-T-R26x0.5", "--to", "safetensors", "--out", "away"]) == 0
    assert exchange.load(tmp_path / "away" / "model.safetensors")[1].license == "MIT"


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (["nowhere", "--to", "npz", "--out", "x"], 1, "error: no weights 'nowhere': expected a name such as"),
        ([".", "--to", "npz"], 1, "error: no weights in the folder .; expected model.safetensors"),
        ([".", "--to", "keras"], 2, "'keras' is not one of 'safetensors', 'npz', 'timm', 'transformers', 'onnx'"),
        (["."], 2, "Missing option '--to'"),
    ],
)
def test_refusals_are_one_line(words, status, part, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["export", *words]) == status
    told = capsys.readouterr().err
    assert part in told and told.count("\n") == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["probe", "train"])
def test_both_commands_take_the_hubs_names(command, tmp_path, capsys, monkeypatch):
    """The authors' networks go by bitdoc's names for them; others are refused before anything is looked for."""
    assert main([command, str(tmp_path), "--model", "someone/their-bit"]) == 1
    assert "someone/their-bit keeps none of the authors' networks" in capsys.readouterr().err
    asked = []
    monkeypatch.setattr(exchange, "adopt", lambda name: asked.append(name) or ("BiT-M-R50x1", tmp_path / "nowhere"))
    assert main([command, str(tmp_path), "--model", "timm/resnetv2_50x1_bit.goog_in21k"]) == 2
    assert f"no folder {tmp_path}/nowhere to look for" in capsys.readouterr().err
    assert asked == ["timm/resnetv2_50x1_bit.goog_in21k"]


@pytest.mark.slow
def test_as_a_process(run):
    done = subprocess.run(
        [sys.executable, "-m", "bitdoc", "export", run, "--to", "onnx"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith(f"{run}/export/model.onnx: loaded again, logits equal to")
    assert len(done.stdout.splitlines()) == 2 and done.stderr == ""
