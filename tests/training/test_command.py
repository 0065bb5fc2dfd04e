"""What all commands share: kinds of flags, checks, errors and signals that become one line and a status."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from folders import make_folders

from bitdoc import data
from bitdoc.records import runs
from bitdoc.training import command
from bitdoc.training.engine import TrainingError

ROOT = Path(command.__file__).parents[2]

#: What a kind of flag takes, and what it refuses.
KINDS = {
    "count": (["1", "512", " 7 "], ["0", "-1", "1.5", "", "x", "1e3", "inf"]),
    "seed": (["0", "1", str(2**63 - 1)], ["-1", str(2**63), "0.5", ""]),
    "rate": (["0.003", "1e-9", "3"], ["0", "-0.1", "nan", "inf", "-inf", "1e999", "", "x"]),
    "amount": (["0", "0.1", "1e9"], ["-1", "nan", "inf", "1e999", "", "x"]),
    "path": ([".", "a/b", "/"], ["~nosuchuser", "~nosuchuser/x", "~nosuchuser/.."]),
    "run_name": (["run", "größe", "a.b_c+d=e-f"], ["..", ".", "a/b", "a b", "", "a\0", "x" * 300]),
    "model": (["R50x3", "BiT-M-R50x1", "R14x0.25"], ["R51x1", "R050x1", "R50x1.0", "BiT-M", "R50x33", "", "R50x-1"]),
    "picture": (["a.png", "a.pdf", "a.SVG"], ["a", "a.xyz", "nowhere/a.png", "", ".png"]),
    "dataset": (["cifar10", "folder", "tiny-imagenet"], ["mnist", "", "CIFAR10", "cifar-10"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_flags(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    taken, refused = KINDS[kind]
    for text in taken:
        getattr(command, kind)(text)
    for text in refused:
        with pytest.raises(argparse.ArgumentTypeError) as caught:
            getattr(command, kind)(text)
        assert "\n" not in str(caught.value)


def test_a_tilde_means_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert command.path("~/x") == tmp_path / "x"


def test_every_data_set_that_is_named_is_known(tmp_path):
    (tmp_path / "file").touch()
    for name in command.DATASETS:
        with pytest.raises(data.DataError, match=".") as caught:
            data.load(name, "test", tmp_path / "file")
        assert "unknown data set" not in str(caught.value)
    with pytest.raises(data.DataError, match=", ".join(command.DATASETS)):
        data.load("mnist", "test", tmp_path)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (command.Refused("no"), 2, "error: no\n"),
        (TrainingError("no\n  more"), 1, "error: no more\n"),
        (runs.RecordError("no"), 1, "error: no\n"),
        (FileNotFoundError(2, "No such file", "x"), 1, "error: [Errno 2] No such file: 'x'\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
        (KeyboardInterrupt("at step 3"), 130, "at step 3\n"),
        (command.Terminated(), 143, "stopped\n"),
        (SystemExit(2), 2, ""),
    ],
)
def test_every_end_is_one_line_and_a_status(capsys, error, status, said):
    def work():
        raise error

    before = signal.getsignal(signal.SIGTERM)
    assert command.ended(work, "stopped") == status
    assert capsys.readouterr().err == said
    assert signal.getsignal(signal.SIGTERM) is before
    assert command.ended(lambda: None, "") == 0 and command.ended(lambda: 1, lambda: "") == 1


def test_sigterm_ends_a_command_as_control_c_does(capsys):
    assert command.ended(lambda: os.kill(os.getpid(), signal.SIGTERM), "the same command goes on") == 143
    assert capsys.readouterr().err == "the same command goes on\n"


def test_what_is_not_an_end_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        command.ended(lambda: 1 // 0, "")


@pytest.mark.parametrize("damage", [lambda raw: raw[:50], lambda raw: b"", lambda raw: raw[:-9] + b"x" + raw[-8:]])
def test_weights_that_are_damaged_are_not_said_to_be_missing(tmp_path, damage):
    with zipfile.ZipFile(tmp_path / "BiT-M-R14x0.25.npz", "w") as archive:
        archive.writestr("a.npy", b"abc" * 100)
    command.check_weights("BiT-M-R14x0.25", tmp_path)
    whole = (tmp_path / "BiT-M-R14x0.25.npz").read_bytes()
    (tmp_path / "BiT-M-R14x0.25.npz").write_bytes(damage(whole))
    with pytest.raises(command.Refused, match=r"BiT-M-R14x0\.25\.npz is truncated or altered; delete it, and copy"):
        command.check_weights("BiT-M-R14x0.25", tmp_path)


def test_what_is_kept_needs_a_folder(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    command.check_writable(tmp_path / "new" / "deeper")
    monkeypatch.chdir(tmp_path)
    command.check_writable(Path("new"))
    for place in (tmp_path / "file", tmp_path / "file" / "new", Path("file/new/deeper")):
        with pytest.raises(command.Refused, match="file is no folder, so nothing can be kept in .*; name another"):
            command.check_writable(place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"], "asking makes nothing"
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(command.Refused, match="cannot be written to"):
        command.check_writable(tmp_path / "new")


def test_without_a_compiler_nothing_is_compiled(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    command.check_compiler(False)
    with pytest.raises(command.Refused, match="--compile needs a C\\+\\+ compiler, and there is none"):
        command.check_compiler(True)


#: A fine-tuning of two steps, by the command itself.
SCRIPT = """
import sys
from bitdoc import train
from bitdoc.training import finetune
train.rule = lambda examples, size, **changes: finetune.Recipe(20, 16, (0, 1, 1, 1, 2), **changes)
sys.exit(train.main(sys.argv[1:]))
"""

#: Environments, a row a kind: flags of Python, variables, and what to start the process with.
ENVIRONMENTS = {
    "no home": ([], {"HOME": None}, {}),
    "no docstrings": ([], {"PYTHONOPTIMIZE": "2"}, {}),
    "a C locale": ([], {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {}),
    "ASCII streams": ([], {"PYTHONIOENCODING": "ascii"}, {}),
    "no standard error": ([], {}, {"preexec_fn": lambda: os.close(2), "stderr": None}),
    "no streams": ([], {}, {"preexec_fn": lambda: os.closerange(0, 3), "stderr": None, "stdout": None}),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="closes streams by number")
@pytest.mark.parametrize("kind", ENVIRONMENTS)
def test_a_run_in_an_unusual_environment(tmp_path, kind):
    flags, variables, how = ENVIRONMENTS[kind]
    make_folders(tmp_path / "größe")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | variables
    environment = {name: value for name, value in environment.items() if value is not None}
    told = ["--name", "run", "--model", "R14x0.125", "--logdir", str(tmp_path / "läufe"), "--dataset", "folder"]
    told += ["--datadir", str(tmp_path / "größe"), "--batch", "4"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"} | how
    done = subprocess.run(
        [sys.executable, *flags, "-c", SCRIPT, *told], env=environment, check=False, timeout=300, **options
    )
    assert done.returncode == 0, done.stdout
    assert "Traceback" not in (done.stdout or "") and "Logging error" not in (done.stdout or "")
    assert (done.stdout or "").count("\r") == 0, "no progress bar where there is no terminal"
    assert runs.read(tmp_path / "läufe" / "run" / "run.json").setting["train_images"] == 6


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_run_that_was_killed_while_it_wrote_goes_on_and_clears_what_was_left(tmp_path):
    make_folders(tmp_path / "images")
    told = ["--name", "run", "--model", "R14x0.125", "--logdir", str(tmp_path), "--dataset", "folder"]
    told += ["--datadir", str(tmp_path / "images"), "--batch", "4", "--eval_every", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    killed = "import os, signal; replace = os.replace\nos.replace = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
    for script, status in ((killed + SCRIPT, -signal.SIGKILL), (SCRIPT, 0)):
        command_line = [sys.executable, "-c", script, *told]
        done = subprocess.run(command_line, env=environment, check=False, timeout=300, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        left = [path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]
        assert bool(left) == bool(status), left
