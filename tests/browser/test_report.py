"""The printable report, made from the built site."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from built_site import docs_module
from playwright.sync_api import Browser
from pypdf import PdfReader

report = docs_module("_report/report")
pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture(scope="module")
def lengths_and_pdf(browser: Browser, site: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, PdfReader]:
    folder = tmp_path_factory.mktemp("pdf")
    # Making it fails if one of its figures is missing.
    lengths = report.make(site, folder, browser)
    assert sorted(path.name for path in folder.iterdir()) == ["bitdoc.pdf"]
    return lengths, PdfReader(folder / "bitdoc.pdf")


@pytest.fixture(scope="module")
def lengths(lengths_and_pdf) -> str:
    return lengths_and_pdf[0]


@pytest.fixture(scope="module")
def pdf(lengths_and_pdf) -> PdfReader:
    return lengths_and_pdf[1]


@pytest.fixture(scope="module")
def text(pdf: PdfReader) -> list[str]:
    return [page.extract_text() for page in pdf.pages]


def test_it_is_a_report_of_five_sections(pdf: PdfReader, text: list[str]) -> None:
    assert 12 < len(pdf.pages) < 60
    assert "explained by experiments" in text[0]
    outline = re.sub(r"\s+", " ", str(pdf.outline))
    for number, name in enumerate(("Transfer learning", "architecture", "Normalization", "MixUp", "Models"), start=1):
        assert re.search(rf"{number}\. [^']*{name}", outline), name
    assert "Works cited" in outline


def test_contents_name_the_page_on_which_a_section_begins(text: list[str]) -> None:
    for title in ("3. Normalization", "4. MixUp"):
        number = int(re.search(rf"{re.escape(title)}\s*(\d+)", text[1])[1])
        assert title in text[number - 1]
        assert str(number) in text[number - 1].splitlines(), "the page shows its number"


def test_the_title_page_tells_the_lengths(lengths: str, text: list[str]) -> None:
    told = re.sub(r"\s+", " ", text[0])
    for line in lengths.splitlines()[1:-1]:
        name, count, pages, _, asked, whole = line.split()
        assert f"{int(count):,} {pages} {asked.replace('-', '–')} {whole}" in told, name


def test_pages_that_lie_across_end_their_section(pdf: PdfReader, text: list[str]) -> None:
    across = [page.mediabox.width > page.mediabox.height for page in pdf.pages]
    assert 1 < sum(across) < 5
    assert any("All models in one table" in told for told, lies in zip(text, across, strict=True) if lies)
    for told in (after for (lies, then), after in zip(pairwise(across), text[1:], strict=True) if lies and not then):
        assert "Works cited" in told


def test_text_can_be_copied_and_nothing_folded_is_printed(site: Path, text: list[str]) -> None:
    words = re.sub(r"\W+", "", "".join(text))
    for name in report.ASKED:
        page = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        first = page.select_one("article h1 ~ p:not(.reading-time):not(:has(math))")
        assert re.sub(r"\W+", "", first.get_text().split(".")[0])[:40] in words, name
        for question in page.select("details.sd-dropdown summary .sd-summary-text"):
            start = re.sub(r"\W+", "", question.get_text())[:40]
            assert question.find("math") or start not in words, f"{name}: {start}"
    assert "Questions" not in {line.strip() for page in text for line in page.splitlines()}


def test_it_can_be_sent_by_mail(lengths_and_pdf, pdf: PdfReader) -> None:
    assert pdf.stream.seek(0, 2) < 5_000_000


def test_all_fonts_are_embedded(pdf: PdfReader) -> None:
    seen = set()
    for page in pdf.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            font = font.get_object()
            # A type 3 font is its own drawing.
            if font["/Subtype"] == "/Type3":
                continue
            inner = font["/DescendantFonts"][0].get_object() if font["/Subtype"] == "/Type0" else font
            seen.add(font["/BaseFont"])
            descriptor = inner["/FontDescriptor"].get_object()
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor), font["/BaseFont"]
    assert any("STIX" in name for name in seen), "formulas are set in the math font"


def test_sections_are_about_as_long_as_asked(lengths: str) -> None:
    told = {line.split()[0]: line.split() for line in lengths.splitlines()}
    for name, asked in report.ASKED.items():
        if asked:
            assert abs(float(told[name][2]) - asked) <= 0.75, f"{name}: pages of 500 words\n{lengths}"
