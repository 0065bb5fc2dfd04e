"""The printable report, made from the built site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from built_site import docs_module
from playwright.sync_api import Browser
from pypdf import PdfReader

report = docs_module("_report/report")


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
    assert len(pdf.pages) > 30
    assert "explained by experiments" in text[0]
    outline = re.sub(r"\s+", " ", str(pdf.outline))
    for number, name in enumerate(("Transfer learning", "architecture", "Normalization", "MixUp", "Models"), start=1):
        assert re.search(rf"{number}\. [^']*{name}", outline), name
    assert "Works cited" in outline


def test_contents_name_the_page_on_which_a_section_begins(text: list[str]) -> None:
    for title in ("3. Normalization", "4. MixUp"):
        number = int(re.search(rf"{re.escape(title)}\s*(\d+)", text[0])[1])
        assert title in text[number - 1]
        assert str(number) in text[number - 1].splitlines(), "the page shows its number"


def test_text_can_be_copied_and_answers_are_open(site: Path, text: list[str]) -> None:
    words = re.sub(r"\W+", "", "".join(text))
    for name in report.ASKED:
        page = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        for answer in page.select("details.sd-dropdown .sd-summary-content > p:first-child"):
            start = re.sub(r"\W+", "", answer.get_text().split(".")[0].split("[")[0])[:40]
            assert answer.find("math") or start in words, f"{name}: {start}"


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
