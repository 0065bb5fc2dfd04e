"""A caption says in two lines what to see; how it was measured is folded below it."""

from __future__ import annotations

import re

import pytest

from bitdoc import figures

#: Letters of two lines on a page, at 1440 pixels, without the figure's number.
LINES = 215
#: What the page writes for a work that is cited, about as long as the longest of them.
WORK = "Kolesnikov et al., 2020"


def written(text: str) -> str:
    """A caption without its markup, roughly as long as the page writes it."""
    text = re.sub(r"\{cite:[pt]\}`([^`]*)`", lambda m: "; ".join(WORK for _ in m[1].split(",")), text)
    text = re.sub(r"\{numref\}`[^`]*`", "Fig. 3.10", text)
    return re.sub(r"[`*$]|\\(?=[a-z])", "", text)


@pytest.mark.parametrize("id", figures.registry())
def test_a_caption_has_two_lines(id: str) -> None:
    caption = written(figures.registry()[id].caption)
    assert len(caption) <= LINES, f"{len(caption)} letters: {caption}"
    assert caption.rstrip().endswith((".", "]", "?")), caption


@pytest.mark.parametrize("id", figures.registry())
def test_how_it_was_measured_is_folded(id: str) -> None:
    entry = figures.registry()[id]
    assert not re.search(r"Measured \d{4}|on CPU|by older code| runs? on ", entry.caption), entry.caption
    assert entry.measured.strip() == entry.measured


def test_markup_is_not_counted() -> None:
    assert written("A `b` **c** $\\lambda$ {cite:p}`a,b`.") == f"A b c lambda {WORK}; {WORK}."
