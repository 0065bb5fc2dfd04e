"""A sweep that is killed, meets another one, a damaged record or a full disk loses at most the run under way."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from folders import make_folders

import bitdoc
from bitdoc.data import datasets
from bitdoc.records import runs
from bitdoc.studies.fewshot import flags, make_runs, which_runs

#: A sweep of three small runs; the process kills itself, as with kill -9, in the phase named on the command line.
SWEEP = """
import os, signal, sys
import torch
from bitdoc.data import datasets
from bitdoc.records import files, runs
from bitdoc.studies.fewshot import flags, make_runs, which_runs
from bitdoc.training import finetune, job, loop
from dataclasses import replace
torch.set_num_threads(1)
datasets.IMAGES["cifar10"] = {"train": 20, "test": 20}
folder, phase = sys.argv[1:3]
small = finetune.Recipe(20, 16, (0, 1, 1, 1, 2), batch=4, base_lr=0.01)
make_runs.miniature = lambda examples, **changes: replace(small, **changes)
seen = []

def kill_in(module, name, when):
    original = getattr(module, name)
    def replaced(*args, **options):
        seen.append(name)
        if seen.count(name) == when:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **options)
    setattr(module, name, replaced)

kill_in(*{
    "data": (make_runs, "cifar10", 1),
    "weights": (job, "starting_network", 2),
    "training": (loop, "mixed_micro_batches", 3),
    "evaluation": (finetune, "evaluate", 2),
    "writing": (os, "replace", 2),
    "between": (which_runs, "done", 5),
    "never": (which_runs, "done", 0),
}[phase])
make_runs.sweep(which_runs.plan("R14x0.125", shots=(1,), seeds=(0, 1, 2)), flags.Setup(folder))
"""

PHASES = {"data": 0, "weights": 1, "training": 1, "evaluation": 1, "writing": 1, "between": 1}


@pytest.fixture(autouse=True)
def twenty_images(monkeypatch):
    """A CIFAR-10 of twenty images."""
    monkeypatch.setitem(datasets.IMAGES, "cifar10", {"train": 20, "test": 20})


@pytest.fixture(scope="module")
def cifar_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cifar") / "cifar10-jpeg"
    make_folders(folder, make_runs.data.CIFAR10_CLASSES, 2)
    return folder.parent


def start(cifar_folder: Path, results: Path, phase: str = "never") -> subprocess.Popen:
    root = Path(bitdoc.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": str(root), "BITDOC_RESULTS": str(results), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SWEEP, str(cifar_folder), phase]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen) -> tuple[int, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out + err


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("phase", PHASES)
def test_killed_in_any_phase_a_sweep_goes_on(cifar_folder, tmp_path, monkeypatch, phase):
    assert finished(start(cifar_folder, tmp_path, phase))[0] == -signal.SIGKILL
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    before = {record.name: record.date for record in runs.load(which_runs.EXPERIMENT)}
    assert len(before) == PHASES[phase], "every run but the one under way must be there, and whole"
    code, text = finished(start(cifar_folder, tmp_path))
    assert code == 0, text
    after = runs.load(which_runs.EXPERIMENT)
    assert len(after) == 3 and all(before.get(record.name, record.date) == record.date for record in after)
    alone = fewshot_alone(cifar_folder, tmp_path / "alone")
    assert {r.name: r.result for r in after} == alone, "a sweep in pieces gives the results of one in a piece"


def fewshot_alone(cifar_folder: Path, results: Path, memory: dict = {}) -> dict:  # noqa: B006 - made once
    if not memory:
        assert finished(start(cifar_folder, results))[0] == 0
        files = sorted((results / which_runs.EXPERIMENT).glob("*.json"))
        memory |= {record.name: record.result for record in map(runs.read, files)}
    return memory


def test_two_sweeps_at_once_on_one_folder(cifar_folder, tmp_path, monkeypatch):
    both = [start(cifar_folder, tmp_path), start(cifar_folder, tmp_path)]
    for code, text in [finished(process) for process in both]:
        assert code == 0, text
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    assert len(runs.load(which_runs.EXPERIMENT)) == 3
    assert {path.suffix for path in (tmp_path / which_runs.EXPERIMENT).iterdir()} == {".json"}


def told(run: which_runs.Run) -> dict:
    """What a record of a run cannot do without."""
    few = {"examples_per_class": run.shots, "subset_seed": run.seed, "encoding": "made"}
    return few | {"method": run.method, "seed": run.seed}


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Runs that take no time, recorded in a folder of their own."""
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))

    def make(run, *args, **options):
        return runs.RunRecord(which_runs.EXPERIMENT, run.name, run.model, told(run), {"top1": 50.0})

    monkeypatch.setattr(make_runs, "make", make)
    return which_runs.plan("R14x0.125", shots=(1,), seeds=(0, 1))


@pytest.mark.parametrize("damage", ["truncated", "a field lost", "empty"])
def test_a_damaged_record_is_put_aside_and_made_again(quick, capsys, damage):
    make_runs.sweep(quick, flags.Setup())
    path = runs.path_of(which_runs.EXPERIMENT, quick[1].name)
    whole = path.read_text()
    without = json.dumps({key: value for key, value in json.loads(whole).items() if key != "result"})
    bad = {"truncated": whole[: len(whole) // 2], "a field lost": without, "empty": ""}[damage]
    path.write_text(bad)
    assert [record.name for record in make_runs.sweep(quick, flags.Setup())] == [quick[1].name]
    assert path.read_text() == whole and path.with_suffix(".damaged").read_text() == bad
    said = capsys.readouterr()
    assert f"{path}" in said.out + said.err and "the run can be made again" in said.out + said.err
    assert len(runs.load(which_runs.EXPERIMENT)) == 2


def test_another_sweep_may_finish_a_run_first(quick, monkeypatch):
    make = make_runs.make

    def while_the_other_works(run, *args, **options):
        runs.write(make(quick[1]))
        return make(run, *args, **options)

    monkeypatch.setattr(make_runs, "make", while_the_other_works)
    assert [record.name for record in make_runs.sweep(quick, flags.Setup())] == [quick[0].name]


def test_a_full_disk_stops_the_sweep_with_one_line(quick, monkeypatch, capsys):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    empty = replace(
        make_runs._EMPTY, labels=make_runs.torch.zeros(0).long(), pixels=make_runs.torch.zeros(0, 3, 32, 32)
    )
    monkeypatch.setattr(make_runs, "cifar10", lambda datadir, split: empty)
    parser = make_runs.argparse.ArgumentParser()
    make_runs.arguments(parser)
    assert make_runs.command(parser.parse_args(["--run", "--model", "R14x0.125"])) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: the run is done, but its record could not be written") and "disk is full" in error
    assert not list(runs.folder().glob("*/*"))


def test_a_loss_that_is_not_finite_stops_the_sweep_with_one_line(tmp_path, monkeypatch, capsys, cifar_folder):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    monkeypatch.setattr("bitdoc.training.loop._mixed_loss", lambda logits, *rest: logits.sum() * float("nan"))
    small = make_runs.Recipe(20, 16, (0, 1, 1, 1, 2), batch=4)
    monkeypatch.setattr(make_runs, "miniature", lambda examples, **changes: replace(small, **changes))
    parser = make_runs.argparse.ArgumentParser()
    make_runs.arguments(parser)
    asked = ["--run", "--model", "R14x0.125", "--datadir", str(cifar_folder)]
    assert make_runs.command(parser.parse_args(asked)) == 1
    assert "error: the loss is nan at step 0" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_network_and_data_one_line_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path))
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    monkeypatch.setenv("BITDOC_WEIGHTS_URL", "http://127.0.0.1:9")
    from torchvision import datasets

    monkeypatch.setattr(datasets.CIFAR10, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    monkeypatch.setattr("bitdoc.data.datasets.TINY_URL", "http://127.0.0.1:9/tiny.zip")
    make_runs.cifar10.cache_clear()

    def error_of(model, datadir):
        parser = make_runs.argparse.ArgumentParser()
        make_runs.arguments(parser)
        assert make_runs.command(parser.parse_args(["--run", "--model", model, "--datadir", str(datadir)])) == 1
        return capsys.readouterr().err.strip().splitlines()[-1]

    for model in ("BiT-M-R50x3", "BiT-T-R14x0.25"):  # CIFAR-10 is missed before a network is trained for it
        error = error_of(model, tmp_path / "data")
        assert error.startswith("error: cifar10 is not in") and "--datadir" in error
    make_runs.cifar10.cache_clear()
    make_folders(tmp_path / "data" / "cifar10-jpeg", make_runs.data.CIFAR10_CLASSES, 2)
    error = error_of("BiT-T-R14x0.25", tmp_path / "data")
    assert error.startswith("error: Tiny ImageNet is not in") and "--datadir" in error
    assert error_of("BiT-M-R50x3", tmp_path / "data").startswith("error: http://127.0.0.1:9/BiT-M-R50x3.npz: download")
