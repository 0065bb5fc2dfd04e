"""One fine-tuning, end to end on tiny images: recipe, record, resuming, the command line, and its errors."""

import json
import multiprocessing
import threading

import pytest
import torch
from folders import make_folders

from bitdoc import data, train
from bitdoc.network import weights
from bitdoc.network.resnet import build
from bitdoc.records import runs
from bitdoc.records.code import code_digest
from bitdoc.studies.probe import linear_probe
from bitdoc.training import finetune
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
    assert s["indices_digest"] == data.digest(data.few_shot_indices(torch.tensor([0] * 4 + [1] * 4), 2, 1))
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
    whole, _ = finetune.finetune("R14x0.25", task, TINY, **options)
    path = tmp_path / "run.pt"

    class Killed(Exception):
        pass

    original = finetune._Watch.save

    def kill(self, step):
        original(self, step)
        if step == 2:
            raise Killed

    monkeypatch.setattr(finetune._Watch, "save", kill)
    with pytest.raises(Killed):
        finetune.finetune("R14x0.25", task, TINY, checkpoint=path, eval_every=1, **options)
    monkeypatch.setattr(finetune._Watch, "save", original)
    resumed, record = finetune.finetune("R14x0.25", task, TINY, checkpoint=path, **options)
    assert record.setting["resumed_at"] == 2
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


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
    with pytest.raises(data.DataError, match="train has 2 classes and test 3"):
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
    monkeypatch.setattr(
        train, "rule", lambda examples, size, **changes: finetune.Recipe(20, 16, (1, 2, 3, 4, 5), **changes)
    )
    assert command(tmp_path, "--batch", "8", "--batch-split", "2", "--eval_every", "2", "--workers", "1") == 0
    folder = tmp_path / "logs" / "run"
    record = runs.read(folder / "run.json")
    assert record.setting["split"] == 2 and record.setting["train_images"] == 6
    log = (folder / "train.log").read_text()
    assert "step 2: loss" in log and "step 4: loss" in log and "step 5: loss" in log and "top-5" in log
    assert (folder / "bit.pt").exists()
    # The same command takes the checkpoint up and trains no more.
    assert command(tmp_path, "--batch", "8", "--batch_split", "2") == 0
    assert runs.read(folder / "run.json").setting["resumed_at"] == 5
    # Another recipe under the same name is refused.
    capsys.readouterr()
    assert command(tmp_path, "--batch", "16") == 1
    assert "belongs to another run" in capsys.readouterr().err


def test_no_save_and_few_shot_seed(tmp_path, monkeypatch, pretrained):
    make_folders(tmp_path / "images")
    monkeypatch.setattr(
        train, "rule", lambda examples, size, **changes: finetune.Recipe(20, 16, (1, 2, 3, 4, 5), **changes)
    )
    more = ["--examples_per_class", "1", "--examples_per_class_seed", "4", "--bit_pretrained_dir", str(pretrained)]
    assert command(tmp_path, "--batch", "4", "--no-save", *more, model="BiT-M-R14x0.25") == 0
    record = runs.read(tmp_path / "logs" / "run" / "run.json")
    assert record.setting["subset_seed"] == 4 and record.setting["upstream"] == "M"
    assert not (tmp_path / "logs" / "run" / "bit.pt").exists()


@pytest.mark.parametrize(
    ("more", "model", "message"),
    [
        ([], "BiT-M-R51x1", "unknown model 'BiT-M-R51x1'"),
        ([], "R50y1", "unknown architecture 'R50y1'"),
        (["--dataset", "mnist"], "R14x0.25", "unknown data set 'mnist'"),
        (["--batch_split", "3"], "R14x0.25", "batch of 512 cannot be split in 3"),
        (["--examples_per_class", "9"], "R14x0.25", "9 examples per class asked for, but class 0 has 3"),
        (["--datadir", "nowhere"], "R14x0.25", "no folder nowhere"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, capsys, more, model, message):
    make_folders(tmp_path / "images")
    assert command(tmp_path, *more, model=model) == 1
    error = capsys.readouterr().err.strip()
    assert message in error and error.count("\n") == 0 and error.startswith("error: ")
    assert not (tmp_path / "logs").exists()


def test_control_c_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    make_folders(tmp_path / "images")

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "finetune", interrupt)
    assert command(tmp_path) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_every_official_flag_is_there():
    """Names from the official repository's bit_common.py and bit_pytorch/train.py."""
    official = """name model logdir bit_pretrained_dir dataset examples_per_class examples_per_class_seed batch
    batch_split base_lr eval_every datadir workers no-save"""
    known = {s for action in train.parser()._actions for s in action.option_strings}
    assert {f"--{name}" for name in official.split()} <= known
    assert {f"--{name.replace('_', '-')}" for name in official.split()} <= known
