"""One fine-tuning, end to end on tiny images: recipe, record, resuming, the command line, and its errors."""

import json
import multiprocessing
import os
import re
import shutil
import signal
import threading

import pytest
import torch
from folders import make_folders
from PIL import Image

from bitdoc import data, train
from bitdoc.network import weights
from bitdoc.network.resnet import build
from bitdoc.records import runs
from bitdoc.records.age import code_digest
from bitdoc.records.files import held
from bitdoc.studies.probe import linear_probe
from bitdoc.training import finetune, identity, loop, session
from bitdoc.training.loop import TrainingError

TINY = finetune.Recipe(resize=20, crop=16, schedule=(1, 2, 3, 4, 5), batch=8, base_lr=0.01)


@pytest.fixture
def task(tmp_path):
    make_folders(tmp_path / "images", per_class=4)
    sets = [data.load("folder", split, tmp_path / "images") for split in ("train", "test")]
    return finetune.Task.choose(*sets, examples_per_class=2, subset_seed=1)


@pytest.fixture
def pretrained(tmp_path):
    """A folder with weights of a tiny network in the official layout."""
    folder = tmp_path / "weights"
    torch.manual_seed(3)
    weights.save(build("R14x0.25", 21, zero_head=False), folder / "BiT-M-R14x0.25.npz")
    return folder


def test_recipes():
    assert finetune.rule(100, (32, 32)) == finetune.Recipe(160, 128, (100, 200, 300, 400, 500), 512, 1, 0.003, 0.0)
    assert finetune.rule(50_000, (32, 32)).mixup == 0.1
    assert finetune.rule(100, (300, 300)).crop == 480
    small = finetune.miniature(100)
    assert small.schedule == (20, 40, 60, 80, 100) and (small.resize, small.crop) == (64, 64)
    with pytest.raises(TrainingError, match="batch of 512 cannot be split in 3"):
        finetune.rule(100, (32, 32), split=3)


def test_a_run_leaves_a_whole_record(task, pretrained):
    model, record = finetune.finetune(
        "BiT-M-R14x0.25", task, TINY, experiment="test", run="one", directory=pretrained, progress=False
    )
    s = record.setting
    assert (s["examples_per_class"], s["subset_seed"], s["train_images"], s["test_images"]) == (2, 1, 4, 8)
    assert s["train_digest"] == identity.fingerprint(task.train)[0] != s["test_digest"]
    assert s["weights_sha256"] == weights.sha256(pretrained / "BiT-M-R14x0.25.npz") and s["upstream"] == "M"
    assert s["schedule"] == [1, 2, 3, 4, 5] and s["encoding"] == "class folders, PNG"
    assert record.curve["step"] == [1, 2, 3, 4, 5]
    assert record.cost["images_per_second"] > 0 and record.code["digest"] == code_digest()
    correct = record.result["top1"] / 100 * 8
    assert correct == pytest.approx(round(correct)), "accuracy must be a count of the 8 test images"
    assert model.head.out_features == 2 and model.head.weight.abs().sum() > 0
    json.dumps(record.setting)


def test_the_same_seed_gives_the_same_run_and_another_does_not(task):
    losses = [
        finetune.finetune("R14x0.25", task, TINY, experiment="test", run="x", seed=s, progress=False)[1].curve["loss"]
        for s in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_the_optimizer_is_the_papers(task, monkeypatch):
    seen, trained = [], finetune.train

    def look(model, optimizer, *rest, **options):
        seen.append(optimizer)
        return trained(model, optimizer, *rest, **options)

    monkeypatch.setattr(finetune, "train", look)
    finetune.finetune("R14x0.25", task, TINY, experiment="test", run="x", progress=False)
    (optimizer,) = seen
    assert type(optimizer) is torch.optim.SGD
    (group,) = optimizer.param_groups
    asked = {"momentum": 0.9, "weight_decay": 0, "nesterov": False, "dampening": 0}
    assert {key: group[key] for key in asked} == asked


def test_learning_happens(tmp_path):
    """Two classes that differ in brightness are told apart after twenty steps."""
    pixels = torch.cat([torch.full((6, 3, 8, 8), 60), torch.full((6, 3, 8, 8), 200)]).byte()
    pixels += torch.randint(0, 40, pixels.shape, generator=torch.Generator().manual_seed(0)).byte()
    images = data.Images("test", "train", "made", ("dark", "bright"), torch.arange(12) // 6, pixels)
    task = finetune.Task.choose(images, images, None)
    recipe = finetune.Recipe(20, 16, (2, 10, 14, 18, 20), batch=12, base_lr=0.05)
    record = finetune.finetune("R14x0.25", task, recipe, experiment="test", run="x", progress=False)[1]
    assert record.result["top1"] == 100.0


def test_a_run_that_was_stopped_goes_on(task, tmp_path, monkeypatch):
    options = {"experiment": "test", "run": "x", "progress": False}
    whole, of_whole = finetune.finetune("R14x0.25", task, TINY, **options)
    path = tmp_path / "run.pt"

    class Killed(Exception):
        pass

    original = session.Session.save

    def kill(self, step):
        original(self, step)
        if step == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(session.Session, "save", kill)
        with pytest.raises(Killed):
            finetune.finetune("R14x0.25", task, TINY, checkpoint=path, eval_every=1, **options)
    resumed, record = finetune.finetune("R14x0.25", task, TINY, checkpoint=path, **options)
    assert record.setting["resumed_at"] == 2
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
    assert record.curve == of_whole.curve, "the whole curve, not that of its end"
    looks = record.result.pop("looks")
    assert looks["step"] == [1, 2, 5] and looks["top1"][-1] == record.result["top1"], "what was seen before it stopped"
    assert record.result == of_whole.result
    first = torch.load(path.with_suffix(".previous"), weights_only=True)["log"]["seconds"]
    assert record.cost["seconds"] > first > 0, "the whole time"
    _, same = finetune.finetune("R14x0.25", task, TINY, checkpoint=path, **options)
    assert same.result.pop("looks") == looks
    assert (same.curve, same.cost["seconds"], same.result) == (record.curve, record.cost["seconds"], record.result)


def test_a_small_set_needs_no_worker_after_the_first_step(task):
    """The official loader starts its workers anew in this regime; here nothing is started, and images stay resized."""
    batch_at = finetune._batch_at(task, TINY, 0, torch.device("cpu"))
    list(batch_at(0)[0])
    before = threading.active_count(), multiprocessing.active_children()
    for step in range(1, 4):
        list(batch_at(step)[0])
        assert (threading.active_count(), multiprocessing.active_children()) == before


def test_a_large_set_is_fetched_ahead_and_gives_the_same_batches(task, monkeypatch):
    resident = finetune._batch_at(task, TINY, 0, torch.device("cpu"))
    monkeypatch.setattr(finetune, "_RESIDENT", 0)
    fetched = finetune._batch_at(task, TINY, 0, torch.device("cpu"))
    for step in (0, 1, 1, 5):  # a step is asked for twice where memory ran out
        for one, two in zip(resident(step)[0], fetched(step)[0], strict=True):
            assert torch.equal(one.images, two.images) and torch.equal(one.labels, two.labels)


def test_test_set_with_other_classes_is_refused(tmp_path):
    make_folders(tmp_path / "a")
    make_folders(tmp_path / "b", classes=("cat", "cow", "dog"))
    with pytest.raises(data.DataError, match="differ in their classes: only test has 'cow'"):
        finetune.Task.choose(
            data.load("folder", "train", tmp_path / "a"), data.load("folder", "test", tmp_path / "b"), 1
        )


def test_linear_probe_leaves_the_network_alone_and_separates_its_features(pretrained):
    pixels = torch.cat([torch.full((4, 3, 8, 8), 60), torch.full((4, 3, 8, 8), 200)]).byte()
    images = data.Images("test", "train", "made", ("dark", "bright"), torch.arange(8) // 4, pixels)
    task = finetune.Task.choose(images, images, 2)
    head, record = linear_probe("BiT-M-R14x0.25", task, TINY, experiment="test", run="p", directory=pretrained)
    assert head.weight.shape == (2, 512)
    assert record.result["top1"] == 100.0 and record.setting["method"] == "linear-probe"


def command(tmp_path, *more, model="R14x0.25"):
    base = ["--name", "run", "--model", model, "--logdir", str(tmp_path / "logs"), "--dataset", "folder"]
    return train.main([*base, "--datadir", str(tmp_path / "images"), *more])


def test_command_line(tmp_path, monkeypatch, capsys):
    make_folders(tmp_path / "images")
    monkeypatch.setattr(train, "rule", tiny_rule)
    assert command(tmp_path, "--batch", "8", "--batch-split", "2", "--eval_every", "2", "--workers", "1") == 0
    folder = tmp_path / "logs" / "run"
    record = runs.read(folder / "run.json")
    assert record.setting["split"] == 2 and record.setting["train_images"] == 6
    log = (folder / "train.log").read_text()
    assert "step 2: loss" in log and "step 4: loss" in log and "step 5: loss" in log and "top-5" in log
    assert (folder / "bit.pt").exists()
    before = (folder / "run.json").read_bytes()
    # The same command trains no more and leaves the record alone.
    assert command(tmp_path, "--batch", "8", "--batch_split", "2") == 0
    assert "was made before" in capsys.readouterr().err and (folder / "run.json").read_bytes() == before
    # A record that was lost is made again from the checkpoint, whole.
    (folder / "run.json").unlink()
    assert command(tmp_path, "--batch", "8", "--batch_split", "2") == 0
    again = runs.read(folder / "run.json")
    assert (again.setting["resumed_at"], again.curve, again.cost["seconds"]) == (
        5,
        record.curve,
        record.cost["seconds"],
    )
    # Another recipe under the same name is refused, whichever of the two is there.
    for lost in (folder / "run.json", folder / "bit.pt"):
        before = (folder / "run.json").read_bytes()
        capsys.readouterr()
        assert command(tmp_path, "--batch", "16") == 1
        said = capsys.readouterr().err.splitlines()[-1]
        assert "belongs to another run: batch is 8 there and 16 here" in said and "name" in said
        lost.rename(lost.with_suffix(".aside"))
        assert lost.suffix == ".json" or (folder / "run.json").read_bytes() == before
        (folder / "run.json").exists() or lost.with_suffix(".aside").rename(lost)


def test_no_save_and_few_shot_seed(tmp_path, monkeypatch, pretrained):
    make_folders(tmp_path / "images")
    monkeypatch.setattr(train, "rule", tiny_rule)
    more = ["--examples_per_class", "1", "--examples_per_class_seed", "4", "--bit_pretrained_dir", str(pretrained)]
    assert command(tmp_path, "--batch", "4", "--no-save", *more, model="BiT-M-R14x0.25") == 0
    record = runs.read(tmp_path / "logs" / "run" / "run.json")
    assert record.setting["subset_seed"] == 4 and record.setting["upstream"] == "M"
    assert not (tmp_path / "logs" / "run" / "bit.pt").exists()


#: What a command refuses before it reads anything, a row a kind: flags, and what one line says of each.
REFUSED = {
    "a batch": ("--batch", ["0", "-4", "1.5", "x", "nan"], "expected a whole number of 1 or more"),
    "a split": ("--batch_split", ["0", "-1", "3", "1024"], "expected a whole number|choose a divisor"),
    "a rate": ("--base_lr", ["nan", "inf", "-0.1", "0", "x"], "expected a number above 0"),
    "a data set": ("--dataset", ["mnist", "", "CIFAR10", "imagenet"], "unknown data set"),
    "a name": ("--name", ["..", ".", "a/b", "a b", ""], "cannot name a run"),
    "an architecture": ("--model", ["R51x1", "R050x1", "R50x1.0", "R50y1", "R50x0", "R50x9000000", ""], "architecture"),
    "a model": (
        "--model",
        ["BiT-M-R51x1", "BiT-X-R50x1", "BiT-", "BiT-M-R050x1"],
        "unknown model|unknown architecture",
    ),
    "weights that are nowhere": (
        "--model",
        ["BiT-L-R50x1", "BiT-M-R26x1", "BiT-T-R50x1", "BiT-S-R14x1"],
        "there is no",
    ),
    "shots": ("--examples_per_class", ["0", "-1", "1.5", "all"], "expected a whole number of 1 or more"),
    "a seed": ("--examples_per_class_seed", ["-1", "0.5", "99999999999999999999"], "below 2"),
    "a number of workers": ("--workers", ["0", "-1", "many"], "expected a whole number of 1 or more"),
    "an interval": ("--eval_every", ["0", "-5", "1e3"], "expected a whole number of 1 or more"),
    "a home": ("--datadir", ["~nosuchuser", "~nosuchuser/x", "~nosuchuser/.."], "there is no such home folder"),
    "another home": ("--logdir", ["~nosuchuser", "~nosuchuser/x", "~nosuchuser/.."], "there is no such home folder"),
    "a precision": ("--precision", ["float64", "half", ""], "invalid choice"),
    "a flag": ("--unheard-of", ["1", "x", ""], "unrecognized arguments"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_done_is_refused_before_anything_is_read(tmp_path, capsys, monkeypatch, kind):
    def read(*args):
        raise AssertionError("data were read")

    monkeypatch.setattr(data, "load", read)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
    flag, values, message = REFUSED[kind]
    for value in values:
        assert command(tmp_path, flag, value) == 2, value
        error = capsys.readouterr().err.strip()
        assert re.search(message, error) and error.count("\n") == 0 and error.startswith("error: "), error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("dataset", "most"), [("cifar10", 5000), ("cifar100", 500), ("tiny-imagenet", 500)])
def test_more_shots_than_a_class_has_are_refused_before_anything_is_read(tmp_path, capsys, dataset, most):
    more = ["--dataset", dataset, "--examples_per_class", str(most + 1)]
    assert command(tmp_path, *more) == 2
    assert f"asked for, but a class of {dataset} has {most:,}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--examples_per_class", "9"], "9 examples per class asked for, but class 0 has 3"),
        (["--datadir", "nowhere"], "no folder nowhere"),
    ],
)
def test_bad_data_are_one_line_and_leave_nothing(tmp_path, capsys, more, message):
    make_folders(tmp_path / "images")
    assert command(tmp_path, *more) == 1
    error = capsys.readouterr().err.strip()
    assert message in error and error.count("\n") == 0 and error.startswith("error: ")
    assert not (tmp_path / "logs").exists()


def test_a_name_in_umlauts_names_a_run(tmp_path, monkeypatch):
    make_folders(tmp_path / "images")
    monkeypatch.setattr(train, "rule", tiny_rule)
    assert command(tmp_path, "--batch", "8", "--name", "größe") == 0
    assert runs.read(tmp_path / "logs" / "größe" / "run.json").name == "größe"


def tiny_rule(examples, size, **changes):
    return finetune.Recipe(20, 16, (1, 2, 3, 4, 5), **changes)


#: What may differ between two runs of one name, a row a kind: how the second is asked for, and what is said to differ.
OTHER = {
    "other images": (lambda f: make_folders(f, seed=1), [], "the training images is"),
    "images of the same classes added": (lambda f: make_folders(f, per_class=4), [], "train_images is 6 there and 8"),
    "another class": (lambda f: make_folders(f, ("cat", "cow", "dog")), [], "class_count is 2 there and 3 here"),
    "other names of classes": (lambda f: make_folders(f, ("cat", "rat")), [], "the names of the classes is"),
    "labels that changed places": (lambda f: swapped(f), [], "the training images is"),
    "other test images only": (lambda f: shutil.copy(f / "test/cat/0.png", f / "test/cat/7.png"), [], "test_images is"),
    "the names of files": (lambda f: (f / "train/cat/0.png").rename(f / "train/cat/7.png"), [], "the order of the"),
    "another seed": (lambda f: None, ["--examples_per_class_seed", "1"], "seed is 0 there and 1 here"),
    "fewer shots": (lambda f: None, ["--examples_per_class", "1"], "train_images is 6 there and 2 here"),
    "another rate": (lambda f: None, ["--base_lr", "0.1"], "base_lr is 0.003 there and 0.1 here"),
    "another network": (lambda f: None, ["--model", "R14x0.5"], "model is R14x0.25 there and R14x0.5 here"),
    "another precision": (lambda f: None, ["--precision", "bfloat16"], "precision is float32 there and bfloat16 here"),
}


def swapped(folder):
    (folder / "train" / "cat").rename(folder / "train" / "x")
    (folder / "train" / "dog").rename(folder / "train" / "cat")
    (folder / "train" / "x").rename(folder / "train" / "dog")


@pytest.mark.parametrize("kept", ["record", "checkpoint"])
def test_a_run_is_what_was_run_and_anything_else_is_refused(tmp_path, monkeypatch, capsys, kept):
    """A finished run, or a stopped one, held against every other run of its name; moved elsewhere it is the same."""
    monkeypatch.setattr(train, "rule", tiny_rule)
    make_folders(tmp_path / "images")
    folder = tmp_path / "logs" / "run"
    assert command(tmp_path, "--batch", "8") == 0
    (folder / {"record": "bit.pt", "checkpoint": "run.json"}[kept]).unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "train.log"}
    monkeypatch.setattr(loop, "accumulate", None)  # nothing is trained
    for kind, (change, flags, message) in OTHER.items():
        shutil.rmtree(tmp_path / "images")
        if not kind.startswith(("images of", "another class", "other names", "other images")):
            make_folders(tmp_path / "images")
        change(tmp_path / "images")
        capsys.readouterr()
        assert command(tmp_path, "--batch", "8", *flags) == 1, kind
        said = capsys.readouterr().err.splitlines()[-1]
        assert "belongs to another run: " in said and message in said, (kind, said)
        assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "train.log"} == before, kind
    shutil.rmtree(tmp_path / "images")
    make_folders(tmp_path / "elsewhere" / "images")
    assert command(tmp_path, "--batch", "8", "--datadir", str(tmp_path / "elsewhere" / "images")) == 0


def test_weights_that_were_replaced_under_their_name_are_another_run(tmp_path, monkeypatch, pretrained, capsys):
    make_folders(tmp_path / "images")
    monkeypatch.setattr(train, "rule", tiny_rule)
    more, model = ["--batch", "8", "--bit_pretrained_dir", str(pretrained)], "BiT-M-R14x0.25"
    assert command(tmp_path, *more, model=model) == 0
    weights.save(build("R14x0.25", 21, zero_head=False), pretrained / "BiT-M-R14x0.25.npz")
    for lost in ("nothing", "run.json"):
        (tmp_path / "logs" / "run" / lost).unlink(missing_ok=True)
        assert command(tmp_path, *more, model=model) == 1
        assert "belongs to another run: the weights it starts from is" in capsys.readouterr().err
        assert (tmp_path / "logs" / "run" / "run.json").exists() == (lost == "nothing")


def test_code_that_changed_is_another_run(tmp_path, monkeypatch, capsys):
    make_folders(tmp_path / "images")
    monkeypatch.setattr(train, "rule", tiny_rule)
    assert command(tmp_path, "--batch", "8") == 0
    monkeypatch.setattr("bitdoc.records.age.code_digest", lambda: "another")
    assert command(tmp_path, "--batch", "8") == 1
    assert "belongs to another run: the code that decides results is" in capsys.readouterr().err


class TestFingerprint:
    """The digest of a set of images is one of images."""

    @pytest.fixture
    def folders(self, tmp_path):
        make_folders(tmp_path / "images", per_class=4)
        return data.load("folder", "train", tmp_path / "images")

    def test_folders_and_an_archive_in_another_order_agree(self, folders):
        order = torch.tensor([3, 0, 7, 5, 1, 2, 6, 4])
        archive = data.Images(
            "cifar10", "train", "original", folders.classes, folders.labels[order], folders.pixels[order]
        )
        assert identity.fingerprint(archive)[0] == identity.fingerprint(folders)[0]
        assert identity.fingerprint(archive)[1] != identity.fingerprint(folders)[1]

    @pytest.mark.parametrize("change", ["a pixel", "a label", "a name", "one fewer", "one twice"])
    def test_every_image_counts(self, folders, change):
        pixels, labels, places = folders.pixels.clone(), folders.labels.clone(), torch.arange(8)
        if change == "a pixel":
            pixels[5, 1, 2, 3] ^= 1
        elif change == "a label":
            labels[0] = 1
        elif change == "one fewer":
            places = places[1:]
        elif change == "one twice":
            places[0] = 1
        classes = ("cat", "cow") if change == "a name" else folders.classes
        other = data.Images("x", "train", "made", classes, labels[places], pixels[places])
        assert identity.fingerprint(other)[0] != identity.fingerprint(folders)[0]

    def test_files_are_told_by_what_they_hold(self, tmp_path):
        make_folders(tmp_path / "a")
        Image.new("RGB", (9, 8)).save(tmp_path / "a/train/cat/2.png")
        one = data.load("folder", "train", tmp_path / "a")
        assert one.pixels is None
        shutil.copytree(tmp_path / "a", tmp_path / "b")
        assert identity.fingerprint(data.load("folder", "train", tmp_path / "b")) == identity.fingerprint(one)
        shutil.copy(tmp_path / "b/train/cat/0.png", tmp_path / "b/train/cat/1.png")
        assert identity.fingerprint(data.load("folder", "train", tmp_path / "b"))[0] != identity.fingerprint(one)[0]


def test_control_c_before_anything_was_kept_does_not_promise_a_checkpoint(tmp_path, monkeypatch, capsys):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "load", interrupt)
    assert command(tmp_path) == 130
    assert capsys.readouterr().err == "stopped before anything was kept; the same command begins anew\n"
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_step_under_way(tmp_path, monkeypatch, capsys, number, status):
    before = signal.getsignal(signal.SIGINT)  # which a shell may have set to be ignored
    make_folders(tmp_path / "images")
    monkeypatch.setattr(train, "rule", tiny_rule)
    accumulate = loop.accumulate

    def killed(*args):
        os.kill(os.getpid(), number)
        return accumulate(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "accumulate", killed)
        assert command(tmp_path, "--batch", "8") == status
    kept = tmp_path / "logs" / "run" / "bit.pt"
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"stopped at step 1 of 5; step 1 is kept in {kept}, and the same command goes on from there"
    assert command(tmp_path, "--batch", "8") == 0
    assert "resumed at step 1 of 5" in capsys.readouterr().err
    record = runs.read(kept.with_name("run.json"))
    assert record.setting["resumed_at"] == 1 and record.curve["step"] == [1, 2, 3, 4, 5]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_in_the_last_step_leaves_only_the_evaluation(tmp_path, monkeypatch, capsys):
    make_folders(tmp_path / "images")
    monkeypatch.setattr(train, "rule", lambda examples, size, **changes: finetune.Recipe(20, 16, (0, 1), **changes))
    accumulate = loop.accumulate

    def killed(*args):
        os.kill(os.getpid(), signal.SIGINT)
        return accumulate(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "accumulate", killed)
        assert command(tmp_path, "--batch", "8") == 130
    assert "stopped at step 1 of 1; step 1 is kept" in capsys.readouterr().err
    monkeypatch.setattr(loop, "accumulate", None)
    assert command(tmp_path, "--batch", "8") == 0
    assert runs.read(tmp_path / "logs" / "run" / "run.json").curve["step"] == [1]


@pytest.fixture
def interruptible():
    """Ctrl-C as in a terminal: a shell lets what it starts in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_second_signal_stops_at_once_and_a_run_that_keeps_nothing_says_so(tmp_path, monkeypatch, capsys):
    make_folders(tmp_path / "images")
    monkeypatch.setattr(train, "rule", tiny_rule)

    def killed(*args):
        for _ in range(2):  # handled one by one; two sent to the process at once may arrive as one
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(loop, "accumulate", killed)
    for more in ([], ["--no-save"]):
        assert command(tmp_path, "--batch", "8", *more) == 130
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("stopped ") and said.endswith(" the same command begins anew"), said
    assert sorted(path.name for path in (tmp_path / "logs" / "run").iterdir()) == ["train.log"]


def test_two_processes_on_one_run_are_refused(tmp_path, monkeypatch, capsys):
    make_folders(tmp_path / "images")
    monkeypatch.setattr(train, "rule", tiny_rule)
    with held(tmp_path / "logs" / "run" / "bit.pt", "trained"):
        assert command(tmp_path, "--batch", "8") == 1
    assert "bit.pt is being trained by another process" in capsys.readouterr().err


def test_every_official_flag_is_there():
    """Names from the official repository's bit_common.py and bit_pytorch/train.py."""
    official = """name model logdir bit_pretrained_dir dataset examples_per_class examples_per_class_seed batch
    batch_split base_lr eval_every datadir workers no-save"""
    known = {s for action in train.parser()._actions for s in action.option_strings}
    assert {f"--{name}" for name in official.split()} <= known
    assert {f"--{name.replace('_', '-')}" for name in official.split()} <= known
