"""Data sets: class folders, CIFAR, Tiny ImageNet, few-shot choices, and what is said when something is missing."""

import errno
import hashlib
import io
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from folders import make_folders
from PIL import Image

from bitdoc import data
from bitdoc.data import datasets


def test_class_folders(tmp_path):
    make_folders(tmp_path)
    images = data.load("folder", "train", tmp_path)
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.pixels.shape == (6, 3, 8, 8)
    expected = np.asarray(Image.open(tmp_path / "train" / "dog" / "2.png")).transpose(2, 0, 1)
    assert np.array_equal(images.fetch(torch.tensor([5]))[0].numpy(), expected)


def test_numbered_files_are_in_numerical_order(tmp_path):
    make_folders(tmp_path, per_class=12)
    images = data.class_folders(tmp_path / "train", "folder", "train")
    tenth = np.asarray(Image.open(tmp_path / "train" / "cat" / "10.png")).transpose(2, 0, 1)
    assert np.array_equal(images.pixels[10].numpy(), tenth)


def test_images_of_different_sizes_are_decoded_on_demand(tmp_path):
    make_folders(tmp_path, size=(10, 20))
    Image.new("RGB", (7, 7)).save(tmp_path / "test" / "dog" / "7.png")
    images = data.load("folder", "test", tmp_path, workers=2)
    assert images.pixels is None and images.size == (10, 20)
    batch = images.fetch(torch.tensor([0, 4]), 16)
    assert batch.shape == (2, 3, 16, 16) and batch.dtype == torch.uint8
    with pytest.raises(data.DataError, match="differ in size"):
        images.fetch(torch.tensor([0, 6]))
    assert torch.equal(images.in_memory(16).pixels[4], batch[1])


def test_cifar10_reads_class_folders_and_says_how_they_are_encoded(tmp_path, monkeypatch):
    monkeypatch.setitem(datasets.IMAGES, "cifar10", {"train": 20, "test": 20})
    make_folders(tmp_path / "cifar10-jpeg", data.CIFAR10_CLASSES, 2, suffix="jpg")
    images = data.load("cifar10", "test", tmp_path)
    assert images.classes == data.CIFAR10_CLASSES
    assert images.encoding == "class folders, JPEG q75", "Pillow's default quality is 75"


def test_cifar10_from_torchvisions_layout(tmp_path, monkeypatch):

    class Fake:
        def __init__(self, root, train, download):
            assert not download, "what is there must not be downloaded"
            self.data = np.arange(2 * 32 * 32 * 3, dtype=np.uint8).reshape(2, 32, 32, 3)
            self.targets, self.classes = [3, 1], list(data.CIFAR10_CLASSES)

    monkeypatch.setattr("torchvision.datasets.CIFAR10", Fake)
    images = data.load("cifar10", "train", tmp_path)
    assert images.encoding == "original" and images.labels.tolist() == [3, 1]
    assert torch.equal(images.pixels[1, :, 0, 0], torch.from_numpy(Fake(0, 0, 0).data[1, 0, 0]))


def make_cifar_archive(path):
    """The official archive's layout with two images a file; returns its MD5 and the MD5 of each file in it."""
    rng, sums = np.random.default_rng(0), {}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]:
            content = {"data": rng.integers(0, 256, (2, 3072), dtype=np.uint8), "labels": [3, 1]}
            raw = pickle.dumps(content if "batch_" in name or name == "test_batch" else {"label_names": ["x"] * 10})
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size, sums[name] = len(raw), hashlib.md5(raw).hexdigest()
            archive.addfile(entry, io.BytesIO(raw))
    return hashlib.md5(path.read_bytes()).hexdigest(), sums


@pytest.fixture
def cifar_host(tmp_path, monkeypatch):
    """An archive on a host of our own (a folder), in place of the official one; returns its path."""
    from torchvision import datasets as originals

    path = tmp_path / "host" / "cifar-10-python.tar.gz"
    md5, sums = make_cifar_archive(path)
    kind = originals.CIFAR10
    monkeypatch.setattr(kind, "url", path.as_uri())
    monkeypatch.setattr(kind, "tgz_md5", md5)
    monkeypatch.setattr(kind, "train_list", [[f"data_batch_{i}", sums[f"data_batch_{i}"]] for i in range(1, 6)])
    monkeypatch.setattr(kind, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(kind, "meta", kind.meta | {"md5": sums["batches.meta"]})
    return path


def test_an_archive_is_unpacked_beside_readers(tmp_path, cifar_host):
    whole = shutil.copy(cifar_host, tmp_path)
    for _ in range(2):  # the second time into the folder that the first one left
        datasets._unpack(Path(whole), tmp_path, "cifar-10-batches-py")
    assert len(list((tmp_path / "cifar-10-batches-py").iterdir())) == 7
    assert not list(tmp_path.glob(".cifar*"))


def test_cifar10_is_downloaded_once(tmp_path, cifar_host):
    images = data.load("cifar10", "train", tmp_path / "data")
    assert len(images) == 10 and images.encoding == "original" and images.pixels.shape == (10, 3, 32, 32)
    cifar_host.unlink()
    assert len(data.load("cifar10", "test", tmp_path / "data")) == 2


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_archive_is_named_and_downloaded_again(tmp_path, cifar_host, capsys, damage):
    old = tmp_path / "data" / cifar_host.name
    old.parent.mkdir()
    raw = cifar_host.read_bytes()
    old.write_bytes(raw[:100] if damage == "truncated" else raw[:-9] + b"x" + raw[-8:])
    assert len(data.load("cifar10", "train", tmp_path / "data")) == 10
    assert f"{old} is truncated or altered and is downloaded again" in capsys.readouterr().err
    assert old.read_bytes() == raw


@pytest.mark.parametrize("trouble", ["no network", "another file", "full disk"])
def test_a_damaged_archive_stays_until_the_new_one_is_whole(tmp_path, cifar_host, monkeypatch, trouble):
    old = tmp_path / "data" / cifar_host.name
    old.parent.mkdir()
    old.write_bytes(b"half")
    why = {"no network": "download failed", "another file": "what arrived has MD5", "full disk": "the disk is full"}
    if trouble == "no network":
        cifar_host.unlink()
    elif trouble == "another file":
        cifar_host.write_bytes(cifar_host.read_bytes() + b"x")
    else:

        def full(*args):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("os.replace", full)
    with pytest.raises(data.DataError, match=f"could not be downloaded.*{why[trouble]}.*--datadir"):
        data.load("cifar10", "train", tmp_path / "data")
    assert old.read_bytes() == b"half" and list(old.parent.iterdir()) == [old]


def test_tiny_imagenet_is_unpacked_whole_or_not_at_all(tmp_path, monkeypatch):
    host = tmp_path / "host.zip"
    make_tiny_imagenet(tmp_path / "tiny-imagenet-200", train=1, val=1)
    with zipfile.ZipFile(host, "w") as archive:
        for path in (tmp_path / "tiny-imagenet-200").rglob("*"):
            archive.write(path, path.relative_to(tmp_path))
    monkeypatch.setattr(datasets, "TINY_URL", host.as_uri())
    monkeypatch.setattr(datasets, "TINY_MD5", hashlib.md5(host.read_bytes()).hexdigest())
    original = zipfile.ZipFile.extractall

    def interrupted(self, folder):
        original(self, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "extractall", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data.load("tiny-imagenet", "test", tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["tiny-imagenet-200.zip"]
    monkeypatch.setattr(zipfile.ZipFile, "extractall", original)
    with pytest.raises(data.DataError, match="incomplete: found 200 of 200 classes and 200 of 10000 test images"):
        data.load("tiny-imagenet", "test", tmp_path / "data")


def make_tiny_imagenet(root, train=500, val=50, classes=200):
    root.mkdir()
    wnids = [f"n{i:08d}" for i in range(classes)]
    (root / "wnids.txt").write_text("\n".join(wnids))
    (root / "val" / "images").mkdir(parents=True)
    notes = []
    for i, wnid in enumerate(wnids):
        (root / "train" / wnid / "images").mkdir(parents=True)
        image = Image.new("RGB", (4, 4), (i, i, i))
        for n in range(train):
            image.save(root / "train" / wnid / "images" / f"{wnid}_{n}.JPEG", quality=50)
        for n in range(val):
            image.save(root / "val" / "images" / f"val_{i}_{n}.JPEG")
            notes.append(f"val_{i}_{n}.JPEG\t{wnid}\t0\t0\t1\t1")
    (root / "val" / "val_annotations.txt").write_text("\n".join(notes))


def test_tiny_imagenet_val_and_what_is_missing(tmp_path):
    make_tiny_imagenet(tmp_path / "tiny-imagenet-200", train=1)
    images = data.load("tiny-imagenet", "test", tmp_path)
    assert len(images) == 10_000 and len(images.classes) == 200
    assert images.labels[-1] == 199 and abs(int(images.pixels[-1, 0, 0, 0]) - 199) < 3
    with pytest.raises(data.DataError, match="incomplete: found 200 of 200 classes and 200 of 100000 train images"):
        data.load("tiny-imagenet", "train", tmp_path)
    notes = tmp_path / "tiny-imagenet-200" / "val" / "val_annotations.txt"
    notes.write_text(notes.read_text().replace("val_0_0.JPEG\tn00000000", "val_0_0.JPEG\tn00000001"))
    with pytest.raises(data.DataError, match="10000 of 10000 test images, of which each class must have 50"):
        data.load("tiny-imagenet", "test", tmp_path)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda root: (root / "val" / "val_annotations.txt").unlink(), "No such file .*val_annotations.txt"),
        (lambda root: (root / "val" / "val_annotations.txt").write_text("val_0.JPEG"), "has the row 'val_0.JPEG'"),
        (lambda root: (root / "val" / "val_annotations.txt").write_text("a.JPEG\tn9\t0"), "expected a file and one of"),
        (lambda root: (root / "val" / "val_annotations.txt").write_bytes(b"\xff\xfe\n"), "can't decode byte 0xff"),
        (lambda root: (root / "wnids.txt").write_bytes(b"\xff"), "can't decode byte 0xff"),
        (lambda root: (root / "wnids.txt").write_text("n00000000"), "has the row 'val_1_0.JPEG|found 1 of 200 classes"),
    ],
)
def test_tiny_imagenet_altered(tmp_path, damage, told):
    make_tiny_imagenet(tmp_path / "tiny-imagenet-200", train=0, val=1)
    damage(tmp_path / "tiny-imagenet-200")
    with pytest.raises(data.DataError, match=told) as error:
        data.load("tiny-imagenet", "test", tmp_path)
    assert f"Tiny ImageNet in {tmp_path / 'tiny-imagenet-200'}" in str(error.value)


def test_few_shot_choice_is_balanced_nested_and_the_same_everywhere():
    labels = torch.arange(1000) % 10
    five, ten = (set(data.few_shot_indices(labels, k, seed=3).tolist()) for k in (5, 10))
    assert five < ten and len(ten) == 100
    assert all(sum(labels[i] == c for i in ten) == 10 for c in range(10))
    assert data.few_shot_indices(labels, 5, seed=4).tolist() != sorted(five)
    # Frozen: another machine, or a later version of a library, must choose the same images.
    assert data.digest(data.few_shot_indices(labels, 5, seed=3)) == "4260adf976307bbf"


def test_few_shot_errors():
    with pytest.raises(data.DataError, match="6 examples per class asked for, but class 0 has 5"):
        data.few_shot_indices(torch.zeros(5, dtype=torch.long), 6, 0)
    with pytest.raises(data.DataError, match="at least 1, got 0"):
        data.few_shot_indices(torch.zeros(5, dtype=torch.long), 0, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "no folder"),
        (lambda root: (root / "train").mkdir(), "no class folders"),
        (lambda root: (root / "train" / "cat").mkdir(parents=True), "no images in .*cat"),
    ],
)
def test_folders_without_images(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(data.DataError, match=message):
        data.load("folder", "train", tmp_path)


def test_a_damaged_image_is_named(tmp_path):
    make_folders(tmp_path)
    (tmp_path / "train" / "cat" / "1.png").write_bytes(b"not an image")
    with pytest.raises(data.DataError, match="1.png cannot be read as an image"):
        data.load("folder", "train", tmp_path)


def test_unknown_names():
    with pytest.raises(data.DataError, match="unknown data set 'mnist'; choose one of cifar10"):
        data.load("mnist", "train")
    with pytest.raises(data.DataError, match="unknown split 'dev'"):
        data.load("cifar10", "dev")


def test_the_environment_variable_names_the_folder(tmp_path, monkeypatch):
    make_folders(tmp_path)
    monkeypatch.setenv(data.DATA_VARIABLE, str(tmp_path))
    assert len(data.load("folder", "train")) == 6


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resize_matches_pillow_when_enlarging(interpolation):
    """The official pipeline enlarges 32 to 160 pixels with Pillow's bilinear filter."""
    # Away from black and white, where Pillow cuts bicubic overshoots off between its two passes.
    pixels = np.random.default_rng(0).integers(90, 166, (32, 32, 3), dtype=np.uint8)
    batch = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    images = data.Images("test", "train", "made", ("a",), torch.zeros(1), batch, interpolation=interpolation)
    ours = images.in_memory(160).pixels[0].permute(1, 2, 0).numpy()
    theirs = np.asarray(Image.fromarray(pixels).resize((160, 160), Image.Resampling[interpolation.upper()]))
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_resize_matches_pillow_when_shrinking():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    ours = data.resize(torch.from_numpy(pixels).permute(2, 0, 1)[None], 24)[0].permute(1, 2, 0).numpy()
    theirs = np.asarray(Image.fromarray(pixels).resize((24, 24), Image.Resampling.BILINEAR))
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1
