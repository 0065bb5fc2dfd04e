"""Class folders as they are in the world: what is read, what is left out and said, and how much memory it takes."""

from __future__ import annotations

import os
import tracemalloc

import numpy as np
import pytest
import torch
from folders import make_folders
from PIL import Image

from bitdoc import data
from bitdoc.data import datasets, pictures
from bitdoc.records.files import FileError


def picture(path, size=(8, 8), shade=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), shade, np.uint8)).save(path, format="PNG")


HIDDEN = [
    ".ipynb_checkpoints/1-checkpoint.png",
    "__MACOSX/1.png",
    ".git/1.png",
    "@eaDir/1.png",
    "cat/._1.png",
    "cat/.2.png",
    "cat/.ipynb_checkpoints/1.png",
    "cat/Thumbs.db",
    "dog/.DS_Store",
]


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_names_are_no_classes_and_no_images(tmp_path, capsys, name):
    make_folders(tmp_path)
    picture(tmp_path / "train" / name)
    images = data.load("folder", "train", tmp_path)
    assert images.classes == ("cat", "dog") and len(images) == 6
    assert capsys.readouterr() == ("", "")


LEFT_OUT = {
    "cat/notes.txt": "1 of other kinds (such as {})",
    "cat/1.heic": "1 of other kinds (such as {})",
    "cat/1.avif": "1 of other kinds (such as {})",
    "cat/more/1.png": "1 in folders inside a class (such as {})",
    "cat/more/and/more/1.jpg": "1 in folders inside a class (such as {})",
    "dog/images/9.JPEG": "1 in folders inside a class (such as {})",
    "1.png": "1 beside the class folders (such as {})",
    "readme.txt": "1 beside the class folders (such as {})",
    "labels.csv": "1 beside the class folders (such as {})",
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_is_counted_and_named_once(tmp_path, capsys, name):
    make_folders(tmp_path)
    root = tmp_path / "train"
    picture(root / name)
    for _ in range(2):
        assert len(data.load("folder", "train", tmp_path)) == 6
    said = capsys.readouterr().err
    assert said == f"left out of {root}: {LEFT_OUT[name].format(root / name)}\n"


def test_all_kinds_of_what_is_left_out_are_one_line(tmp_path, capsys):
    make_folders(tmp_path)
    for name in LEFT_OUT:
        picture(tmp_path / "train" / name)
    assert len(data.load("folder", "train", tmp_path)) == 6
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "3 beside the class folders" in said and "3 of other kinds" in said and "3 in folders inside" in said


@pytest.mark.parametrize("kind", ["pipe", "broken link", "link in a circle"])
def test_what_is_no_file_is_not_waited_for(tmp_path, capsys, kind):
    make_folders(tmp_path)
    path = tmp_path / "train" / "cat" / "5.png"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path if kind == "link in a circle" else tmp_path / "nowhere.png")
    assert len(data.load("folder", "train", tmp_path)) == 6
    assert f"1 that are no files (broken links, pipes) (such as {path})" in capsys.readouterr().err


def test_links_to_pictures_and_folders_are_followed(tmp_path):
    make_folders(tmp_path / "there")
    (tmp_path / "here" / "train").mkdir(parents=True)
    (tmp_path / "here" / "train" / "cat").symlink_to(tmp_path / "there" / "train" / "cat")
    (tmp_path / "here" / "train" / "dog").mkdir()
    (tmp_path / "here" / "train" / "dog" / "1.png").symlink_to(tmp_path / "there" / "train" / "dog" / "1.png")
    assert data.load("folder", "train", tmp_path / "here").labels.tolist() == [0, 0, 0, 1]


def test_a_class_without_pictures_says_what_it_has_instead(tmp_path):
    make_folders(tmp_path)
    for i in range(4):
        picture(tmp_path / "train" / "bird" / "images" / f"{i}.png")
    with pytest.raises(data.DataError, match=r"no images in .*bird; expected .*left out: 4 in folders inside a class"):
        data.load("folder", "train", tmp_path)


def test_the_order_of_images_does_not_depend_on_the_disk(tmp_path):
    """Names that are equal but for the ending stand in the order of their endings, on every machine."""
    for suffix in ("webp", "png", "bmp"):
        picture(tmp_path / "train" / "cat" / f"1.{suffix}")
        picture(tmp_path / "train" / "cat" / f"a.{suffix}")
    images = data.class_folders(tmp_path / "train", "folder", "train")
    order = sorted((tmp_path / "train" / "cat").iterdir(), key=data.folders._natural)
    assert [path.name for path in order] == ["1.bmp", "1.png", "1.webp", "a.bmp", "a.png", "a.webp"]
    assert len(images) == 6


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["1.png"], "class folders, PNG"),
        (["1.jpg", "2.JPEG", "3.jfif", "4.jpe"], "class folders, JPEG q75"),
        (["1.jpg", "2.png"], "class folders, JPEG and PNG"),
        (["1.tif", "2.tiff"], "class folders, TIFF"),
        (["1.pgm", "2.ppm"], "class folders, PPM"),
    ],
)
def test_a_record_says_how_all_files_are_stored(tmp_path, names, encoding):
    for name in names:
        path = tmp_path / "cat" / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, format={"j": "JPEG"}.get(path.suffix.lower()[1]))
    assert data.class_folders(tmp_path, "folder", "train").encoding == encoding


@pytest.mark.parametrize("place", [0, 7, 39])
def test_one_picture_of_another_size_keeps_a_folder_out_of_memory(tmp_path, place):
    """Whether it is the first or the last; and what is read until then is not kept."""
    for i in range(40):
        picture(tmp_path / "train" / "cat" / f"{i}.png", (4, 4) if i == place else (400, 400))
    tracemalloc.start()
    images = data.load("folder", "train", tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert images.pixels is None
    assert peak < (15 if place == 0 else 2 * 40) * 480_000, "forty pictures of 480 kB"
    assert images.size == (400, 400), "the rule must not go by the one that is different"
    assert images.fetch(torch.tensor([place, place - 1]), 8).shape == (2, 3, 8, 8)


def test_a_folder_too_large_for_memory_is_read_when_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr("bitdoc.data.folders._IN_MEMORY", 3 * 8 * 8 * 5)
    make_folders(tmp_path)
    images = data.load("folder", "train", tmp_path)
    assert images.pixels is None and images.size == (8, 8)
    assert images.fetch(torch.arange(3)).shape == (3, 3, 8, 8), "one size can be kept, as pre-training does"


@pytest.mark.parametrize("size", [(8, 12), (12, 8), (8, 8)])
def test_pictures_of_one_size_are_held_in_memory_whatever_their_shape(tmp_path, size):
    make_folders(tmp_path, size=size)
    images = data.load("folder", "train", tmp_path)
    assert images.pixels.shape == (6, 3, *size)
    one = pictures.read(tmp_path / "train" / "cat" / "1.png")
    assert np.array_equal(images.fetch(torch.tensor([1]))[0].permute(1, 2, 0).numpy(), one)


def test_sizes_that_differ_are_named_with_their_files(tmp_path):
    make_folders(tmp_path, size=(8, 12))
    picture(tmp_path / "train" / "dog" / "9.png", (5, 6))
    images = data.load("folder", "train", tmp_path)
    with pytest.raises(
        data.DataError, match=r"0.png has 12 x 8 pixels, .*9.png has 6 x 5\); only squeezed to a square"
    ):
        images.fetch(torch.tensor([0, 6]))


def known(tmp_path, monkeypatch, classes=data.CIFAR10_CLASSES, per_class=2, name="cifar10"):
    """A data set under a name, of which two images a class are expected; one picture under many names."""
    picture(tmp_path / "0.png")
    for kind in classes:
        for split in ("train",) if name == "imagenet2012" else ("train", "test"):
            (tmp_path / split / kind).mkdir(parents=True)
            for i in range(per_class):
                (tmp_path / split / kind / f"{i}.png").hardlink_to(tmp_path / "0.png")
    number = {"cifar10": 20, "cifar100": 200, "imagenet2012": 1000}[name]
    monkeypatch.setitem(datasets.IMAGES, name, {"train": number, "test": number})


WORDNET = [f"n{i:08d}" for i in range(1000)]


@pytest.mark.parametrize(
    ("name", "classes"),
    [("cifar10", data.CIFAR10_CLASSES), ("cifar100", datasets.CIFAR100_CLASSES), ("imagenet2012", WORDNET)],
)
def test_a_known_data_set_is_known_by_its_names_and_numbers(tmp_path, monkeypatch, name, classes):
    known(tmp_path, monkeypatch, classes, 1 if name == "imagenet2012" else 2, name)
    assert data.load(name, "train", tmp_path).classes == tuple(classes)


CIFAR = list(data.CIFAR10_CLASSES)


@pytest.mark.parametrize(
    ("name", "classes", "per_class", "told"),
    [
        ("cifar10", ["cat", "dog"], 2, "2 class folders, expected 10"),
        ("cifar10", [*CIFAR, "zebra"], 2, "11 class folders, expected 10"),
        ("cifar10", list("abcdefghij"), 2, "a class 'a' and none called 'airplane'"),
        ("cifar10", [*CIFAR[:-1], "lorry"], 2, "a class 'lorry' and none called 'truck'"),
        ("cifar10", CIFAR, 1, "10 images, expected 20"),
        ("cifar10", CIFAR, 3, "30 images, expected 20"),
        ("cifar100", CIFAR, 2, "10 class folders, expected 100"),
        ("cifar100", [f"{i:03d}" for i in range(100)], 2, "a class '000' and none called 'apple'"),
        ("imagenet2012", WORDNET[:3], 2, "3 class folders, expected 1000"),
        ("imagenet2012", [*WORDNET[:-1], "zebra"], 1, "a class 'zebra', expected numbers of WordNet"),
        ("imagenet2012", WORDNET, 2, "2,000 images, expected 1,000"),
    ],
)
def test_what_is_not_the_data_set_that_was_named_is_refused(tmp_path, monkeypatch, name, classes, per_class, told):
    known(tmp_path, monkeypatch, classes, per_class, name)
    with pytest.raises(data.DataError, match=told) as error:
        data.load(name, "train", tmp_path)
    assert f"{tmp_path / 'train'} is not the train set of {name}" in str(error.value)
    assert "--dataset folder" in str(error.value)


def test_classes_of_unequal_size_are_not_cifar(tmp_path, monkeypatch):
    known(tmp_path, monkeypatch)
    (tmp_path / "train" / "cat" / "0.png").rename(tmp_path / "train" / "dog" / "9.png")
    with pytest.raises(data.DataError, match="1 images in class 'cat' and 3 in others"):
        data.load("cifar10", "train", tmp_path)


def test_cifar10_has_as_many_images_as_it_is_known_for():
    assert datasets.IMAGES["cifar10"] == datasets.IMAGES["cifar100"] == {"train": 50_000, "test": 10_000}
    assert datasets.IMAGES["imagenet2012"] == {"train": 1_281_167, "test": 50_000}
    assert len(set(datasets.CIFAR100_CLASSES)) == 100 and sorted(datasets.CIFAR100_CLASSES) == [
        *datasets.CIFAR100_CLASSES
    ]


@pytest.mark.parametrize("given", ["~nosuchuser", "~nosuchuser/data"])
def test_a_home_that_is_not_there(given):
    with pytest.raises(FileError, match="there is no such home folder; write the path in full"):
        data.load("folder", "train", given)
