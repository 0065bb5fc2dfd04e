"""``bitdoc compare``: differences on the same pictures, with an interval that has the coverage it claims."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from folders import make_pictures

from bitdoc.desk import bundle, comparison
from bitdoc.main import main
from bitdoc.records import runs

KINDS = ("cat", "dog", "owl")


def made(folder, said, labels=None, digests=None):
    """A run of the table that is told: what it said of each test picture; two more pictures it was trained on."""
    labels = labels or [KINDS[i % 3] for i in range(len(said))]
    digests = digests or [f"{i:016x}" for i in range(len(said))]
    folder.mkdir()
    (folder / bundle.NETWORK).write_bytes(b"the network is not asked")
    runs.write(
        runs.made_now(
            "own-pictures", "run", "R14x0.125", {"method": "fine-tune", "precision": "float32"}, {"top1": 1.0}
        ),
        folder / bundle.RECORD,
    )
    with (folder / bundle.TABLE).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "class", "side", "said", "probability", "digest"])
        rows.writerows([f"{kind}/x.png", kind, "train", "", "", f"{kind:>016}"] for kind in KINDS)
        tested = zip(said, labels, digests, strict=True)
        rows.writerows(
            [f"{label}/{i}.png", label, "test", word, "0.9", digest] for i, (word, label, digest) in enumerate(tested)
        )
    return folder


@pytest.fixture
def two(tmp_path):
    """Twelve pictures: the first run is wrong about 0, 3 and 6, the second about 3 and 1."""
    right = [KINDS[i % 3] for i in range(12)]
    first, second = list(right), list(right)
    first[0], first[3], first[6] = "owl", "owl", "dog"
    second[3], second[1] = "dog", "cat"
    return made(tmp_path / "first", first), made(tmp_path / "second", second)


def test_a_comparison_says_who_is_right_where(two, capsys):
    assert main(["compare", *map(str, two), "--to", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 12 and found["classes"] == list(KINDS)
    assert [one["right"] for one in found["runs"]] == [9, 10]
    (pair,) = found["pairs"]
    assert pair["difference"] == pytest.approx(100 / 12, abs=1e-3) and pair["p"] == 1
    assert [(a["path"], a["class"], a["other_said"]) for a in pair["only_second_right"]] == [
        ("cat/0.png", "cat", "owl"),
        ("cat/6.png", "cat", "dog"),
    ]
    assert [a["path"] for a in pair["only_first_right"]] == ["dog/1.png"]
    assert pair["interval"][0] < 0 < pair["interval"][1]


def test_the_table_tells_it_in_lines(two, capsys):
    assert main(["compare", *map(str, two)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("12 test pictures in 3 classes") and len(lines) == 8
    assert "+8.3 points" in lines[3] and lines[3].endswith(": may be luck")
    assert lines[4:6] == [
        f"  only {two[1]} is right about 2, where the other said",
        "    cat/0.png (owl), cat/6.png (dog)",
    ]


def test_a_clear_difference_is_called_one(tmp_path, capsys):
    right = [KINDS[i % 3] for i in range(60)]
    wrong = [KINDS[(i + (i % 2)) % 3] for i in range(60)]
    for name, said in (("a", wrong), ("b", right), ("c", right)):
        made(tmp_path / name, said)
    assert main(["compare", *(str(tmp_path / name) for name in "abc")]) == 0
    out = capsys.readouterr().out
    assert out.count("names more right") == 2 and f"{tmp_path / 'b'} names more right" in out
    assert "and 27 more" in out
    assert main(["compare", *(str(tmp_path / name) for name in "bc")]) == 0
    assert "+0.0 points" in capsys.readouterr().out


def test_renamed_pictures_are_the_same(two, tmp_path):
    text = (two[1] / bundle.TABLE).read_text().splitlines()
    (two[1] / bundle.TABLE).write_text("\n".join([text[0], *reversed(text[1:])]).replace("/", "/copy-"))
    assert comparison.compare(two)["pairs"][0]["difference"] == pytest.approx(100 / 12, abs=1e-3)


REFUSED = {
    "one": "expected two or more",
    "classes": "have other classes: only ",
    "pictures": "was tested on 12 pictures and ",
    "labels": "test pictures have other labels in ",
    "no run": "no run ",
    "no table": "cannot be compared: ",
    "no digest": "has no column 'digest'",
    "no record": "cannot be compared: ",
    "damaged record": "cannot be compared: ",
    "nothing tested": "names no tested picture",
    "binary table": "cannot be compared: ",
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_cannot_be_compared_is_refused_in_one_line(two, tmp_path, capsys, fault):
    first, second = two
    table, right = second / bundle.TABLE, [KINDS[i % 3] for i in range(12)]
    if fault == "one":
        second = None
    elif fault == "classes":
        table.write_text(table.read_text().replace("owl", "fox"))
    elif fault == "pictures":
        second = made(tmp_path / "other", right, digests=[f"{i + 6:016x}" for i in range(12)])
    elif fault == "labels":
        second = made(tmp_path / "other", right, labels=[*right[1:], right[0]])
    elif fault == "no run":
        second = tmp_path / "nowhere"
    elif fault == "no table":
        table.unlink()
    elif fault == "no digest":
        table.write_text(table.read_text().replace("digest", "other"))
    elif fault == "nothing tested":
        table.write_text("\n".join(table.read_text().splitlines()[:3]))
    elif fault == "binary table":
        table.write_bytes(b'path,class,said,digest\n\0\xff\0"\r' * 3 + b"x" * 200_000)
    else:
        file = second / bundle.RECORD
        file.unlink() if fault == "no record" else file.write_text("{")
    assert main(["compare", str(first), *([str(second)] if second else [])]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and REFUSED[fault] in err


def test_the_interval_is_that_of_bonett_and_price():
    """The example of ``ci.prop.ps`` in the R package statpsych, which is by Bonett: counts of 12, 4, 26 and 6."""
    low, high = comparison.difference(26, 4, 48)
    assert low == pytest.approx(0.2548067, abs=1e-6) and high == pytest.approx(0.6251933, abs=1e-6)
    low, high = comparison.difference(0, 0, 30)
    assert low == -high and high > 0.05, "no difference on thirty pictures is not known to be none"


@pytest.mark.parametrize(("n", "up", "down"), [(30, 0.1, 0.05), (40, 0.2, 0.2), (200, 0.05, 0.02), (100, 0.02, 0.0)])
def test_the_interval_holds_the_truth_as_often_as_it_says(n, up, down):
    drawn = np.random.default_rng(0).multinomial(n, [up, down, 1 - up - down], 4000)
    held = [low <= up - down <= high for low, high in (comparison.difference(a, b, n) for a, b, _ in drawn.tolist())]
    assert np.mean(held) > 0.93


def test_chance_is_that_of_a_fair_coin():
    assert comparison.by_chance(0, 0) == 1 and comparison.by_chance(3, 3) == 1
    assert comparison.by_chance(0, 5) == 2 / 32 and comparison.by_chance(5, 0) == 2 / 32
    assert comparison.by_chance(1, 7) == pytest.approx(2 * 9 / 256)


def test_a_probe_and_a_training_of_one_folder_are_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BITDOC_CACHE", str(tmp_path / "cache"))
    shapes = make_pictures(tmp_path / "shapes", per_class=12, classes=("circle", "cross"))
    small = ["--model", "R14x0.125", "--side", "32"]
    assert main(["probe", str(shapes), *small, "--out", str(tmp_path / "a")]) == 0
    assert main(["train", str(shapes), *small, "--steps", "2", "--batch", "4", "--out", str(tmp_path / "b")]) == 0
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--to", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 24, "in a cross-validation each picture is tested once"
    for one in found["runs"]:
        assert one["accuracy"] == runs.read(tmp_path / one["run"][-1] / bundle.RECORD).result["top1"]
