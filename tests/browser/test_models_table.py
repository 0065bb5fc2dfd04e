"""Search and sort of the models table, on a page of its own; without the script the table is complete."""

from __future__ import annotations

import html
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
ROWS = all_models()


def table() -> str:
    """The table as docutils writes it, its cells plain text."""
    head, *body = ([html.escape(cell) for cell in row] for row in ROWS)
    cells = "".join(f'<th class="head"><p>{cell}</p></th>' for cell in head)
    rows = "".join("<tr>" + "".join(f"<td><p>{cell}</p></td>" for cell in row) + "</tr>" for row in body)
    return f'<table class="bit-table models-table"><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>'


@pytest.fixture
def open_table(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    css = (STATIC / "models-table.css").read_text(encoding="utf-8")
    file = tmp_path / "models.html"
    script = (STATIC / "models-table.js").as_uri()
    file.write_text(PAGE.format(css=css, script=script, table=table()), encoding="utf-8")
    contexts = []

    def open_one(**options) -> Page:
        contexts.append(browser.new_context(viewport={"width": 1000, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.goto(file.as_uri())
        return page

    yield open_one
    for context in contexts:
        context.close()


def column(page: Page, index: int) -> list[str]:
    script = "(rows, i) => rows.filter(r => !r.hidden).map(r => r.cells[i].textContent.trim())"
    return page.eval_on_selector_all("tbody tr", script, index)


def test_without_the_script_every_row_is_there(open_table) -> None:
    page = open_table(java_script_enabled=False)
    assert page.locator("tbody tr:visible").count() == len(ROWS) - 1
    assert page.locator("input, button").count() == 0


def test_search_keeps_the_rows_that_hold_every_word(open_table) -> None:
    page = open_table()
    assert page.text_content("output") == f"{len(ROWS) - 1} models"
    page.get_by_label("Search the table").fill("jft R50X3")
    expected = [row[0] for row in ROWS[1:] if all(word in " ".join(row).lower() for word in ("jft", "r50x3"))]
    assert column(page, 0) == expected == ["BiT-L R50x3"]
    assert page.text_content("output") == f"1 of {len(ROWS) - 1} models"
    page.get_by_label("Search the table").fill("no such model")
    assert column(page, 0) == []
    page.get_by_label("Search the table").fill("")
    assert len(column(page, 0)) == len(ROWS) - 1


def test_sizes_sort_as_numbers_and_dashes_come_last(open_table) -> None:
    page = open_table()
    button = page.get_by_role("button", name="size")
    for direction, order in (("ascending", 1), ("descending", -1)):
        button.click()
        shown = column(page, 2)
        dashes = [cell for cell in shown if cell == "–"]
        assert dashes and shown[-len(dashes) :] == dashes
        numbers = [float(cell) for cell in shown[: -len(dashes)]]
        assert numbers == sorted(numbers, reverse=order < 0)
        assert page.get_by_role("columnheader", name="size").get_attribute("aria-sort") == direction


def test_names_sort_by_the_numbers_in_them(open_table) -> None:
    page = open_table()
    page.get_by_role("button", name="model").focus()
    page.keyboard.press("Enter")
    names = column(page, 0)
    assert names != [row[0] for row in ROWS[1:]] and sorted(names) == sorted(row[0] for row in ROWS[1:])
    of_s = [name for name in names if name.startswith("BiT-S")]
    assert of_s == [f"BiT-S {arch}" for arch in ("R50x1", "R50x3", "R101x1", "R101x3", "R152x4")]


def test_only_one_column_says_that_it_is_sorted(open_table) -> None:
    page = open_table()
    page.get_by_role("button", name="size").click()
    page.get_by_role("button", name="trained on").click()
    sorted_by = page.eval_on_selector_all("th[aria-sort]", "heads => heads.map(h => h.textContent.trim())")
    assert sorted_by == ["trained on"]


def test_a_phone_scrolls_the_table_and_not_the_page(open_table) -> None:
    page = open_table()
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.eval_on_selector(".pst-scrollable-table-container", "box => { box.scrollLeft = 500 }")
    assert page.locator("tbody tr:first-child td:first-child").bounding_box()["x"] >= 0, (
        "the first column stays in sight"
    )
