"""Splits: the same for the same contents, by the same shares in each class, near-duplicates together."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bitdoc.desk import split

LABELS = ["a"] * 40 + ["b"] * 20 + ["c"] * 2
DIGESTS = [f"{i:04x}" for i in range(len(LABELS))]


def test_shares_are_those_of_each_class():
    counts = Counter(zip(LABELS, split.split(LABELS, DIGESTS, []), strict=True))
    assert [counts["a", side] for side in ("train", "val", "test")] == [26, 6, 8]
    assert [counts["b", side] for side in ("train", "val", "test")] == [13, 3, 4]
    assert counts["c", "train"] == 2, "a class of two keeps both to train on"


def test_the_order_of_files_does_not_matter():
    sides = split.split(LABELS, DIGESTS, [])
    assert split.split(LABELS[::-1], DIGESTS[::-1], []) == sides[::-1]


def test_a_new_picture_moves_few_others():
    before = split.split(LABELS, DIGESTS, [])
    after = split.split([*LABELS, "a"], [*DIGESTS, "ffff"], [])
    assert sum(a != b for a, b in zip(before, after, strict=False)) <= 2


@given(st.lists(st.lists(st.integers(0, 61), min_size=2, max_size=5, unique=True), max_size=5))
def test_near_duplicates_stay_on_one_side(groups):
    seen: set[int] = set()
    apart = [g for g in groups if not seen & set(g) and not seen.update(g)]
    sides = split.split(LABELS, DIGESTS, apart)
    parts = split.folds(LABELS, DIGESTS, apart)
    for group in apart:
        assert len({sides[i] for i in group}) == 1 and len({parts[i] for i in group}) == 1


def test_every_class_is_dealt_out_evenly():
    counts = Counter(zip(LABELS, split.folds(LABELS, DIGESTS, []), strict=True))
    assert {counts["a", part] for part in range(5)} == {8}
    assert {counts["b", part] for part in range(5)} == {4}
