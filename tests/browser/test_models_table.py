"""Search, sort and cards of the models table, on a page of its own; without the script the table is complete."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from bitdoc.figures.models.table import all_models

STATIC = Path(__file__).parents[2] / "docs" / "_static"
PAGE = """<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Models</title>
<meta name="viewport" content="width=device-width"><style>{css}
.pst-scrollable-table-container {{ overflow-x: auto }}</style><script defer src="{script}"></script></head>
<body><div class="pst-scrollable-table-container">{table}</div></body></html>"""
HEAD, *ROWS = all_models()
MODELS = [row for row in ROWS if not row[0].startswith("**")]
SHOWN = """(rows, i) => rows.filter(r => !r.hidden && !r.classList.contains("family"))
    .map(r => r.cells[i].textContent.trim())"""


def table() -> str:
    """The table as docutils writes it, its cells plain text but for the bold names of families."""

    def cell(text: str) -> str:
        bold = re.sub(r"[*][*](.*?)[*][*]", r"<strong>\1</strong>", html.escape(text))
        return f"<p>{bold}</p>"

    heads = "".join(f'<th class="head">{cell(text)}</th>' for text in HEAD)
    rows = "".join("<tr>" + "".join(f"<td>{cell(text)}</td>" for text in row) + "</tr>" for row in ROWS)
    return f'<table class="bit-table models-table"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


@pytest.fixture
def open_table(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    css = (STATIC / "models-table.css").read_text(encoding="utf-8")
    file = tmp_path / "models.html"
    script = (STATIC / "models-table.js").as_uri()
    file.write_text(PAGE.format(css=css, script=script, table=table()), encoding="utf-8")
    contexts = []

    def open_one(width: int = 1200, **options) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.goto(file.as_uri())
        return page

    yield open_one
    for context in contexts:
        context.close()


def column(page: Page, name: str) -> list[str]:
    """What a column shows, top to bottom."""
    return page.eval_on_selector_all("tbody tr", SHOWN, HEAD.index(name))


def families(page: Page) -> list[str]:
    return page.eval_on_selector_all(
        "tr.family", "rows => rows.filter(r => !r.hidden).map(r => r.cells[0].textContent)"
    )


def test_without_the_script_every_row_is_there(open_table) -> None:
    page = open_table(java_script_enabled=False)
    assert page.locator("tbody tr:visible").count() == len(ROWS)
    assert page.locator("input, button, select").count() == 0


def test_search_keeps_the_rows_that_hold_every_word_and_their_families(open_table) -> None:
    page = open_table()
    assert page.text_content("output") == f"{len(MODELS)} models"
    assert len(families(page)) == len(ROWS) - len(MODELS)
    page.get_by_label("Search the table").fill("jft R50X3")
    assert column(page, "model") == ["BiT-L R50x3"]
    assert families(page) == ["BiT (15)"]
    assert page.text_content("output") == f"1 of {len(MODELS)} models"
    page.get_by_label("Search the table").fill("no such model")
    assert column(page, "model") == families(page) == []
    page.get_by_label("Search the table").fill("")
    assert len(column(page, "model")) == len(MODELS)


def sorter(page, name):
    """The button of a column; an arrow that the style adds belongs to its accessible name."""
    return page.locator("th button", has_text=re.compile(rf"^{re.escape(name)}$"))


@pytest.mark.parametrize("name", ["size", "ILSVRC-2012", "CIFAR-10", "COCO AP"])
def test_numbers_sort_largest_first_and_dashes_come_last(open_table, name) -> None:
    page = open_table()
    button = sorter(page, name)
    for direction, order in (("descending", -1), ("ascending", 1)):
        button.click()
        shown = column(page, name)
        dashes = [cell for cell in shown if cell == "–"]
        assert dashes and shown[-len(dashes) :] == dashes
        numbers = [float(cell.partition(" ")[0]) for cell in shown[: -len(dashes)]]
        assert len(numbers) > 3 and numbers == sorted(numbers, reverse=order < 0)
        assert button.locator("xpath=ancestor::th").get_attribute("aria-sort") == direction
        assert families(page) == []
    button.click()
    assert column(page, "model") == [row[0] for row in MODELS] and len(families(page)) == len(ROWS) - len(MODELS)
    assert page.locator("th[aria-sort]").count() == 0


def test_names_sort_by_the_numbers_in_them(open_table) -> None:
    page = open_table()
    sorter(page, "model").focus()
    page.keyboard.press("Enter")
    names = column(page, "model")
    assert names != [row[0] for row in MODELS] and sorted(names) == sorted(row[0] for row in MODELS)
    of_s = [name for name in names if name.startswith("BiT-S")]
    assert of_s == [f"BiT-S {arch}" for arch in ("R50x1", "R50x3", "R101x1", "R101x3", "R152x4")]


def test_only_one_column_says_that_it_is_sorted(open_table) -> None:
    page = open_table()
    sorter(page, "size").click()
    sorter(page, "Pets").click()
    sorted_by = page.eval_on_selector_all("th[aria-sort]", "heads => heads.map(h => h.textContent.trim())")
    assert sorted_by == ["Pets"]


def test_a_phone_shows_cards_that_name_their_numbers(open_table) -> None:
    page = open_table(width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    card = page.locator("tbody tr", has_text="GPipe")
    assert card.locator("td:visible").count() == 2 + sum(
        cell != "–" for cell in next(r for r in MODELS if r[0] == "GPipe")[2:]
    )
    pets = card.locator("td[data-label=Pets]")
    assert pets.evaluate("cell => getComputedStyle(cell, '::before').content") == '"Pets"'
    assert pets.bounding_box()["y"] > card.locator("td:first-child").bounding_box()["y"] + 10
    assert not page.locator("thead").is_visible()


def test_a_phone_sorts_by_a_choice(open_table) -> None:
    page = open_table(width=360)
    page.get_by_label("Sort by").select_option("VTAB-1k")
    assert column(page, "model")[:2] == ["BiT-L R152x4", "BiT-M R152x4"]
    page.get_by_label("Sort by").select_option("family")
    assert column(page, "model") == [row[0] for row in MODELS]


def test_a_phone_without_the_script_scrolls_the_table_and_not_the_page(open_table) -> None:
    page = open_table(width=360, java_script_enabled=False)
    assert page.locator("body").bounding_box()["width"] <= 360
    assert page.locator("tbody tr:first-child td:first-child").bounding_box()["x"] >= 0
