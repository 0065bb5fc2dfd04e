"""The prose of the built pages: few numbers in a sentence, and no more words than a section was asked to have."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup, Tag
from built_site import docs_module

#: What holds digits and is no number: a name such as R50x3 or top-1, a reference, a citation, the size of a filter.
NAMES = re.compile(
    r"[^\W\d][\w.]*[-/]?\d[\w.×/-]*|TensorFlow 2|Eq\.|(?:Figs?\.|Tables?|Sec\.|section) [\d.]+(?:(?: and |–|, )[\d.]+)*"
    r"|\[[^\]]*\]|\([\d.]+\)|\d×\d|10⁻\d|\d+-bit"
)
#: An image's or a map's size counts as one number.
NUMBER = re.compile(r"\d(?:[\d,.]*\d)?(?: × \d(?:[\d,.]*\d)?)*")
CHECKED = (
    "transfer-learning",
    "architecture",
    "normalization",
    "mixup",
    "models",
    "paper-vs-code",
    "few-shot",
    "glossary",
)


def sentences(article: Tag) -> list[str]:
    """Sentences of paragraphs, lists and definitions, without figures, tables, code and formulas."""
    text = BeautifulSoup(str(article), "html.parser")
    for element in text.select("figure, table, pre, math, script, style, aside, .headerlink, [id^=card-]"):
        element.replace_with(" ") if element.name == "math" else element.decompose()
    parts = [part for part in text.select("p, dd, li") if not part.find(["p", "dd", "li"])]
    told = [" ".join(part.get_text().split()) for part in parts]
    return [sentence for part in told for sentence in re.split(r"(?<=[.?!])\s+(?=[^\W\d_a-z]|[“*(])", part)]


def numbers(sentence: str) -> list[str]:
    return NUMBER.findall(NAMES.sub(" ", sentence))


def test_names_references_and_sizes_are_no_numbers():
    assert numbers(
        "R50x3 has 50 layers [Wu and He, 2018] and 3×3 filters (Fig. 2.1), as ILSVRC-2012 in section 2."
    ) == ["50"]
    assert numbers("From 24.3% to 45.3% at 1,024 × 1,024 pixels, 10 of each.") == [
        "24.3",
        "45.3",
        "1,024 × 1,024",
        "10",
    ]


@pytest.mark.parametrize("name", CHECKED)
def test_a_sentence_holds_at_most_three_numbers(name: str, pages: dict[str, BeautifulSoup]) -> None:
    found = sentences(pages[f"{name}.html"].select_one("article"))
    assert len(found) > 20
    assert [sentence for sentence in found if len(numbers(sentence)) > 3] == []


@pytest.mark.parametrize("name", ["transfer-learning", "architecture", "normalization", "mixup"])
def test_a_section_has_the_words_of_the_pages_asked(name: str, site) -> None:
    pytest.importorskip("playwright")
    report = docs_module("_report/report")
    bound = report.ASKED[name] * report.WORDS_A_PAGE
    assert 0.7 * bound < report.words(report.article(site, name)) <= bound


@pytest.mark.parametrize("name", ["transfer-learning", "architecture", "models", "paper-vs-code"])
def test_a_page_ends_with_what_to_read_next(name: str, pages: dict[str, BeautifulSoup]) -> None:
    *_, last = pages[f"{name}.html"].select("article h2")
    assert last.get_text().rstrip("#") == "Read next"
    assert last.find_parent("section").select("a.reference.internal")


@pytest.mark.parametrize("name", CHECKED)
def test_a_numbered_item_begins_a_line(name: str, pages: dict[str, BeautifulSoup]) -> None:
    """An item that follows another in one paragraph is no item: the page would read "... so. 2. Then ..."."""
    article = pages[f"{name}.html"].select_one("article")
    told = [NAMES.sub(" ", " ".join(p.get_text().split())) for p in article.select("p, li, dd")]
    assert [text for text in told if re.search(r"[.!?)\]] [2-9]\. [A-Z]", text)] == []
