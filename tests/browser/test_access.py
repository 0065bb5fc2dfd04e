"""The site by keyboard and on a phone."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

Open = Callable[..., Page]
FRAME = """() => { const style = getComputedStyle(document.activeElement);
    return [style.outlineStyle, style.outlineWidth]; }"""
KEPT = """box => ['td', 'caption'].map(s => box.querySelector(s)).filter(e => e)
    .map(e => e.getBoundingClientRect().left)"""


def test_the_first_tab_offers_to_skip_to_the_text(open_page: Open) -> None:
    page = open_page("mixup.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Skip to main content"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main-content"
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('#main-content')")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_has_the_focus_is_framed(open_page: Open, theme: str) -> None:
    page = open_page("transfer-learning.html", theme=theme)
    page.keyboard.press("Tab")
    page.locator("article a.internal").first.focus()
    assert page.evaluate(FRAME) == ["solid", "3px"]


@pytest.mark.parametrize("kind", ["bibliography", "glossary"])
def test_a_card_tells_what_a_link_refers_to(open_page: Open, kind: str) -> None:
    page = open_page("normalization.html")
    link = page.locator(f"article a[href*='{kind}.html#']").first
    anchor = link.get_attribute("href").partition("#")[2]
    told = page.locator(f"[id='card-{kind}-{anchor}']").text_content().strip()
    card = page.locator("#card-shown")
    link.focus()
    assert card.is_visible() and card.text_content().strip() == told
    assert link.get_attribute("aria-describedby") == "card-shown"
    box = card.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
    page.keyboard.press("Escape")
    assert not card.is_visible()
    assert link.get_attribute("aria-describedby") is None
    link.blur()
    link.hover()
    card.wait_for(state="visible")
    card.hover()
    time.sleep(0.4)
    assert card.is_visible(), "the card stays while the mouse is on it"
    page.mouse.move(0, 0)
    card.wait_for(state="hidden")
    assert not page.trouble


def test_cards_fit_a_phone(open_page: Open) -> None:
    page = open_page("normalization.html", width=360)
    page.locator("article a[href*='bibliography.html#']").nth(3).focus()
    box = page.locator("#card-shown").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_wide_tables_scroll_by_keyboard_and_keep_their_names(open_page: Open, addresses: list[str]) -> None:
    wide = 0
    for address in addresses:
        if "/" in address:
            continue
        page = open_page(address, width=360)
        page.wait_for_timeout(400)  # the theme looks for what scrolls after a pause
        for box in page.locator("article .pst-scrollable-table-container").all():
            if not box.is_visible() or box.evaluate("b => b.scrollWidth <= b.clientWidth"):
                continue
            wide += 1
            assert box.get_attribute("tabindex") == "0", address
            assert box.get_attribute("aria-label").startswith("Table"), address
            if box.evaluate("b => b.querySelectorAll('thead th').length") < 4:
                continue
            before = box.evaluate(KEPT)
            box.evaluate("b => { b.scrollLeft = 200 }")
            assert box.evaluate(KEPT) == pytest.approx(before, abs=2), f"{address}: {box.get_attribute('aria-label')}"
        page.close()
    assert wide >= 3


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("standardize", "bitdoc.network.norms"),
        ("ResNetV2", "bitdoc.network.resnet"),
        ("get_schedule", "bitdoc.training.hyperrule"),
        ("group normalization", "ormalization"),
        ("negative transfer", "Transfer learning"),
    ],
)
def test_search_finds_symbols_and_prose(open_page: Open, words: str, place: str) -> None:
    page = open_page("search.html")
    page.goto(f"{page.url}?q={words.replace(' ', '+')}")
    page.wait_for_selector("#search-results li a", timeout=15_000)
    found = page.locator("#search-results li").all_text_contents()
    links = page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.href)")
    assert any(place in text for text in [*found, *links]), found
