"""What a run is: the data by their pixels, the weights by their hash, the recipe, the seed, the code.

A run is described by a flat dictionary of plain values. It stands in the checkpoint, and as a part of the setting in
the record; whatever is found at a run's place is held against it, so that no record claims what was not run. A digest
of images is one of the images themselves, not of where they lie: a reader who drew the same ones finds the same digest,
whether they come from class folders or from an archive.

The code belongs to it, finished or not, for one fine-tuning as for one pre-training: a command that is repeated asks
for a number by the code that is there now, and an older record would answer with another one. The points of a sweep
are kept when the code changes, because a figure shows them together and its caption says which are by older code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bitdoc import data
from bitdoc.records import runs
from bitdoc.training.engine import TrainingError

#: What to do about a record that stands where another is to be written.
ASIDE = "move the record away, or name another folder in BITDOC_RESULTS"

_WORDS = {
    "train_digest": "the training images",
    "train_order": "the order of the training images",
    "test_digest": "the test images",
    "val_digest": "the validation images",
    "classes_digest": "the names of the classes",
    "weights_sha256": "the weights it starts from",
    "parent_weights_sha256": "the weights it grew from",
    "code": "the code that decides results",
}


def _short(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def _each(images: data.Images) -> Iterator[bytes]:
    """A digest of each image with the name of its class: of its pixels, or of its file where a set is not in memory."""
    names = [images.classes[label].encode(errors="surrogateescape") + b"\n" for label in images.labels.tolist()]
    if images.pixels is not None:
        size = f"{images.size[0]}x{images.size[1]}\n".encode()
        for indices in images.labels.new_tensor(range(len(images))).split(1024):
            pixels = images.pixels[indices.to(images.pixels.device)].cpu().contiguous().numpy()
            for name, one in zip((names[i] for i in indices.tolist()), pixels, strict=True):
                yield hashlib.sha256(name + size + one.tobytes()).digest()
        return

    def of_file(place: int) -> bytes:
        return hashlib.sha256(names[place] + b"file\n" + images.paths[place].read_bytes()).digest()

    with ThreadPoolExecutor(images.workers) as pool:
        yield from pool.map(of_file, range(len(images)))


def fingerprint(images: data.Images) -> tuple[str, str]:
    """Digests of which images a set holds, with their labels, and of the order they stand in."""
    each = list(_each(images))
    return _short(*sorted(each)), _short(*each)


def same_classes(train: data.Images, test: data.Images) -> None:
    """Refuse a training and a test set that differ in their classes.

    Raises
    ------
    DataError
        With the names that only one of them has.
    """
    if train.classes == test.classes:
        return
    parts = []
    for one, other in ((train, test), (test, train)):
        if alone := [name for name in one.classes if name not in other.classes]:
            more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
            parts.append(f"only {one.split} has {', '.join(map(repr, alone[:3]))}{more}")
    what = "; ".join(parts) or "the same names in another order"
    raise data.DataError(f"train and test differ in their classes: {what}; both need the same class folders")


def told_of_data(train: data.Images, test: data.Images) -> dict[str, Any]:
    """What a record says of the images of a run."""
    which, order = fingerprint(train)
    return {
        "dataset": train.name,
        "encoding": train.encoding,
        "class_count": len(train.classes),
        "classes_digest": _short("\n".join(train.classes).encode(errors="surrogateescape")),
        "train_images": len(train),
        "train_digest": which,
        "train_order": order,
        "test_split": test.split,
        "test_images": len(test),
        "test_digest": fingerprint(test)[0],
    }


def told_by(record: runs.RunRecord) -> dict[str, Any]:
    """All that a record tells of what was run."""
    return record.setting | {"model": record.model, "code": record.code.get("digest")}


def made_before(experiment: str, name: str, run: Mapping[str, Any]) -> runs.RunRecord | None:
    """The record of the very same run among the results, if it is there.

    A record of another run is in the way, unless it is one that came with the package, which a user's own would hide.

    Raises
    ------
    TrainingError
        Saying what differs, and what to do.
    """
    place = runs.path_of(experiment, name)
    if not place.is_file():
        return None
    record = runs.read_named(place)
    if place.is_relative_to(runs.folder()):
        refuse_other(told_by(record), run, place, ASIDE)
    return None if differences(told_by(record), run) else record


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What differs between a run that was made and the one asked for, in words; what is not told there, does not."""
    found = []
    for key, value in here.items():
        if key in there and there[key] != value:
            word = _WORDS.get(key)
            shown = [str(x)[:12] if word else str(x) for x in (there[key], value)]
            found.append(f"{word or key} is {shown[0]} there and {shown[1]} here")
    return found


def refuse_other(there: Mapping[str, Any], here: Mapping[str, Any], where: object, advice: str) -> None:
    """Refuse to go on from, or to count as done, what belongs to another run.

    Raises
    ------
    TrainingError
        Saying what differs, and what to do.
    """
    if found := differences(there, here):
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise TrainingError(f"{where} belongs to another run: {'; '.join(found[:3])}{more}; {advice}")
