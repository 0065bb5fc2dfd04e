"""The dry run, and the comparison with the published runs."""

from __future__ import annotations

import re
import socket

import pytest

from bitdoc.figures.performance import tables
from bitdoc.literature import published
from bitdoc.network import cost
from bitdoc.records import runs
from bitdoc.studies.fewshot import forecast, make_runs, which_runs
from bitdoc.studies.fewshot.flags import Setup
from bitdoc.training import upstream
from bitdoc.training.command import Parser


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Results of our own, an empty cache, and no network at all."""
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))

    def refused(*args, **options):
        raise AssertionError("a dry run must not touch the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(cost, "matmul_rate", lambda device, precision="float32": 1e12)


def command(*arguments):
    parser = Parser()
    make_runs.arguments(parser)
    try:
        return make_runs.command(parser.parse_args(arguments))
    except SystemExit as end:  # of the parser
        return end.code


def record(model, shots, seed, top1, **setting):
    setting |= {"method": "fine-tune", "examples_per_class": shots, "subset_seed": seed, "encoding": "made"}
    run = which_runs.Run(model, "fine-tune", shots, seed)
    return runs.RunRecord(which_runs.EXPERIMENT, run.name, model, setting, {"top1": top1})


def test_plan_of_the_papers_network(tmp_path, capsys):
    runs.write(record("BiT-M-R50x3", 1, 0, 50.0))
    assert command("--dry-run", "--model", "BiT-M-R50x3", "--batch_split", "8") == 0
    out = capsys.readouterr().out
    assert "20 runs, 1 of them done" in out and "BiT-M-R50x3_fine-tune_1_0" not in out
    assert "BiT-M-R50x3_fine-tune_10_4: 500 steps, 256,000 images of 128 px to train, 10,000 to test" in out
    parts = cost.memory("R50x3", 128, 512, 8)
    assert f"memory: {forecast.gigabytes(parts.total)} with --batch_split 8" in out
    assert f"activations {forecast.gigabytes(parts.activations)}" in out
    each = cost.operations("R50x3", 128) * (3 * 256_000 + 10_000) / (cost.SHARE * 1e12)
    assert f"time: {forecast.duration(each)} a run, {forecast.duration(19 * each)} in all" in out
    assert not (tmp_path / "cache").exists()


def test_every_run_is_costed_by_its_own_network_and_steps(capsys):
    """Three networks of unlike size: the smallest and the largest run, their sum, and the memory of the largest."""
    grown = ["--model", "BiT-T-R50x3", "--grow_from", "BiT-T-R50x1", "--shots", "1", "--seeds", "0", "1"]
    assert command("--dry-run", *grown) == 0
    out = capsys.readouterr().out
    ends = {}
    for arch, count in (("R50x1", 2), ("R50x3", 4)):  # the parent; the grown network and random weights
        ends[arch] = cost.operations(arch, 32) * (3 * 25 * 32 + 10_000) / (cost.SHARE * 1e12), count
    small, large = ends["R50x1"][0], ends["R50x3"][0]
    whole = sum(each * count for each, count in ends.values())
    assert f"time: {forecast.duration(small)} to {forecast.duration(large)} a run" in out
    assert f"a run, {forecast.duration(whole)} in all" in out
    assert f"memory: {forecast.gigabytes(cost.memory('R50x3', 32, 32, 1).total)} with --batch_split 1, for R50x3" in out


def test_plan_with_pre_training(capsys):
    assert command("--dry-run", "--model", "BiT-T-R50x3", "--minutes", "7") == 0
    steps = upstream.LARGE.plan(100_000)[-1][0]
    assert f"first, pre-training R50x3 on Tiny ImageNet: {steps:,} steps, " in (out := capsys.readouterr().out)
    assert "bounded by --minutes 7" in out and "100 steps, 6,400 images of 64 px" in out
    assert command("--dry-run", "--model", "BiT-T-R26x0.5") == 0
    assert "pre-training" not in capsys.readouterr().out, "its weights are shipped"
    assert command("--dry-run", "--model", "BiT-T-R50x3", "--grow-from", "BiT-T-R50x1") == 0
    out = capsys.readouterr().out
    first = out.index("pre-training R50x1 on Tiny ImageNet: 3,906 ")
    assert first < out.index("pre-training R50x3 on Tiny ImageNet: 391 ")
    assert command("--dry-run", "--model", "BiT-T-R50x1", "--grow-from", "BiT-T-R26x0.5") == 0
    assert "first, pre-training R50x1 on Tiny ImageNet: 391 " in capsys.readouterr().out, "a rung that is deeper too"
    assert "60 runs, 0 of them done" in out and "R50x3_fine-tune_10_4: 25 steps, 800 images of 32 px" in out


def test_plan_of_a_probe_and_of_nothing(capsys):
    assert command("--dry-run", "--model", "R26x0.5", "--method", "linear-probe", "--shots", "1", "--seeds", "0") == 0
    assert "memory" not in capsys.readouterr().out
    runs.write(record("R26x0.5", 1, 0, 10.0))
    assert command("--dry-run", "--model", "R26x0.5", "--shots", "1", "--seeds", "0") == 0
    assert capsys.readouterr().out == "1 runs, 1 of them done\n"


#: What a dry run refuses, as a run does, a row a kind: flags, and what one line says of each.
REFUSED = {
    "a model": ("--model", ["BiT-M-R51x1", "BiT-X-R50x1", "BiT-", "R050x1"], "unknown (model|architecture)"),
    "weights that are nowhere": ("--model", ["BiT-L-R50x1", "BiT-M-R26x1", "BiT-S-R50x4"], "there is no BiT-"),
    "what cannot be pre-trained": (
        "--model",
        ["BiT-T-R50x3-CIFAR10", "BiT-T-R50x3-0pct", "BiT-T-R50x3-200pct"],
        "pct|fraction",
    ),
    "a width": ("--model", ["R50x9000000", "BiT-T-R50x33", "R50x64"], "fits into no memory"),
    "shots": ("--shots", ["0", "-1", "5001", "1.5"], "whole number of 1 or more|a class of cifar10 has 5,000"),
    "seeds": ("--seeds", ["-1", "x", "0.5"], "whole number of 0 or more"),
    "a split": ("--batch_split", ["0", "-2", "3", "7"], "whole number of 1 or more|choose a divisor of the batch"),
    "minutes": ("--minutes", ["0", "-5", "nan", "inf"], "expected a number above 0"),
    "a part": ("--only", ["0/2", "3/2", "1", "a/b"], "cannot read --only"),
    "a parent": ("--grow_from", ["BiT-T-R26x1", "BiT-M-R50x1", "R26x0.25", "BiT-T-R50x0.25"], "grown|grow_from"),
    "a parent's child": ("--grow_from=BiT-T-R50x1 --model", ["BiT-M-R50x3", "R50x3", "BiT-T-R26x3"], "grown"),
    "a folder of weights": (
        "--model=BiT-T-R50x1 --bit_pretrained_dir",
        ["nowhere", "~nosuchuser", "a/b"],
        "no folder|home",
    ),
    "a folder of weights that are not needed": (
        "--model=R26x0.5 --bit_pretrained_dir",
        ["nowhere", "~nosuchuser", "a/b"],
        "no folder|home",
    ),
    "a home": ("--datadir", ["~nosuchuser", "~nosuchuser/x", "~nosuchuser/.."], "there is no such home folder"),
    "a method": ("--method", ["probe", "", "finetune"], "invalid choice"),
}


@pytest.mark.parametrize("how", ["--dry-run", "--run"])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_done_is_refused_in_the_dry_run_too(monkeypatch, tmp_path, capsys, kind, how):
    def read(*args):
        raise AssertionError("data were read")

    monkeypatch.setattr(make_runs, "cifar10", read)
    flags, values, message = REFUSED[kind]
    *first, flag = flags.split()
    for value in values:
        assert command(how, *first, f"{flag}={value}") == 2, value
        said = capsys.readouterr()
        error = said.err.strip()
        assert re.search(message, error) and error.count("\n") == 0 and error.startswith("error: "), error
        assert said.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"weights_sha256": "0" * 64}, "the weights it starts from is 000000000000 there and"),
        ({"base_lr": 0.5}, "base_lr is 0.5 there and 0.01 here"),
        ({"schedule": [1, 2, 3, 4, 5]}, "schedule is"),
        ({"interpolation": "bilinear"}, "interpolation is bilinear there and bicubic here"),
    ],
)
def test_a_run_that_was_made_otherwise_does_not_count_as_done(setting, message, capsys):
    made = record(which_runs.SHIPPED, 1, 0, 40.0, **setting)
    path = runs.write(made)
    for how in ("--dry-run", "--run"):
        for seed in ("0", "1"):  # the run itself, and one that would join its line
            assert command(how, "--shots", "1", "--seeds", seed) == 1
            said = capsys.readouterr().err.strip()
            assert str(path) in said and message in said and "move the record away" in said and said.count("\n") == 0
    assert runs.load(which_runs.EXPERIMENT) == [made]


def test_a_line_has_one_precision(capsys):
    runs.write(record("R26x0.5", 1, 0, 40.0, precision="bfloat16"))
    assert command("--dry-run", "--model", "R26x0.5", "--shots", "1", "--seeds", "0", "1") == 1
    assert "precision is bfloat16 there and float32 here" in capsys.readouterr().err
    more = ["--model", "R26x0.5", "--shots", "1", "--seeds", "0", "1", "--precision", "bfloat16"]
    assert command("--dry-run", *more) == 0


@pytest.mark.parametrize("upstream", ["S", "M"])
def test_check_finds_the_published_runs_inside_their_own_spread(upstream, capsys):
    for shots, five in published.FIG6_R50X3_RUNS.values.items():
        for seed, top1 in enumerate(five[upstream]):
            runs.write(record(f"BiT-{upstream}-R50x3", shots, seed, top1))
    assert command("--check", "--model", f"BiT-{upstream}-R50x3") == 0
    lines = capsys.readouterr().out.splitlines()
    median = {"S": (46.2, 75.0), "M": (52.3, 85.5)}[upstream]
    for line, shots, middle in zip(lines, (1, 5), median, strict=True):
        assert line.startswith(f"{shots} per class: median {middle} % (") and line.endswith(": inside")
        assert f"5 runs; published {middle} %" in line


def test_check_tells_runs_that_lie_outside(capsys):
    for seed in range(5):
        runs.write(record("BiT-M-R50x3", 5, seed, 60.0 + seed))
    assert command("--check", "--model", "BiT-M-R50x3") == 1
    assert "median 62.0 % (60.0 to 64.0), 5 runs; published 85.5 % (81.8 to 87.6): OUTSIDE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("BiT-M-R50x3", "no runs of BiT-M-R50x3 at 1 or 5"),
        ("BiT-M-R50x1", "no few-shot runs of BiT-M-R50x1 are published"),
    ],
)
def test_check_without_anything_to_compare(model, message, capsys):
    assert command("--check", "--model", model) == 1
    assert message in capsys.readouterr().err


def test_the_name_of_a_run_does_not_tell_how_it_was_split(monkeypatch):
    named = []
    monkeypatch.setattr(make_runs, "cifar10", lambda datadir, split: make_runs._EMPTY)
    monkeypatch.setattr(make_runs, "resized_test", lambda *args: make_runs._EMPTY)
    monkeypatch.setattr(make_runs.Task, "choose", lambda *args: make_runs.Task(make_runs._EMPTY, make_runs._EMPTY, {}))
    monkeypatch.setattr(make_runs, "finetune", lambda *args, run, **options: (None, named.append(run)))
    make_runs.make(which_runs.Run("R26x0.5", "fine-tune", 1, 0), Setup(changes={"split": 4, "base_lr": 0.1}))
    assert named == ["R26x0.5_fine-tune_1_0_base_lr=0.1"]


def test_measured_peaks_replace_the_estimate(monkeypatch):
    monkeypatch.setattr(tables, "NETWORKS", ("R50x3",))  # the others take a minute to work out
    rows = {(row[0], row[1]): row for row in tables.card_splits()}
    before = rows["R50x3", "128 px"]
    setting = {"batch": 512, "crop": 128, "split_used": 1, "precision": "bfloat16", "processes": 1}
    made = record("BiT-M-R50x3", 1, 0, 50.0, **setting)
    made.environment["device"], made.cost["peak_memory_bytes"] = "NVIDIA Test", 7 << 30
    runs.write(made)
    after = {(row[0], row[1]): row for row in tables.card_splits()}["R50x3", "128 px"]
    assert before[2] != "1*" and after[2] == "1*"


def test_words_for_sizes_and_times():
    assert [forecast.gigabytes(n) for n in (3 << 30, 20 << 20)] == ["3.0 GB", "20 MB"]
    assert [forecast.duration(s) for s in (40, 720, 12600)] == ["40 s", "12 min", "3.5 h"]
