"""The site, opened from disk with the network off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

Open = Callable[..., Page]
#: Pixels between a root's end and that of what stands under it.
BLANKS = """() => [...document.querySelectorAll('msqrt')].filter(e => e.checkVisibility())
    .map(e => e.getBoundingClientRect().right - e.lastElementChild.getBoundingClientRect().right)"""

# A figure whose picture has made place for a widget shows none of its two pictures.
SHOWN = """() => [...document.querySelectorAll('figure.bit-figure, .bit-figure-plain')]
    .filter(f => !f.matches('.norm-explorer-live, .norm-circle-live'))
    .filter(f => f.checkVisibility())
    .map(f => [...f.querySelectorAll('img')].filter(i => i.checkVisibility()).map(i => i.className))"""
HIDDEN_CAPTIONS = """() => [...document.querySelectorAll('figure.bit-figure figcaption')]
    .filter(c => c.parentElement.checkVisibility() && !c.checkVisibility()).length"""


def test_formulas_have_a_math_font(open_page: Open) -> None:
    page = open_page("normalization.html")
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px \"STIX Two Math\"'))")
    heights = page.evaluate("[...document.querySelectorAll('math mfrac')].map(f => f.getBoundingClientRect().height)")
    assert heights
    assert max(heights) > 25, "a fraction is as high as two lines"


def test_a_root_leaves_no_blank_behind_it(open_page: Open) -> None:
    page = open_page("normalization.html")
    blanks = page.evaluate(BLANKS)
    assert len(blanks) > 3 and max(map(abs, blanks)) < 0.5, blanks


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_follow_the_theme(open_page: Open, theme: str) -> None:
    for address in ("index.html", "normalization.html", "few-shot.html"):
        page = open_page(address, theme=theme)
        shown = page.evaluate(SHOWN)
        assert shown, address
        assert all(classes == [f"only-{theme}"] for classes in shown), address
        assert page.evaluate(HIDDEN_CAPTIONS) == 0, address


CHOSEN = """() => Promise.all([...document.querySelectorAll('figure.bit-figure img.only-light')].map(async image => {
    image.loading = 'eager';
    await image.decode();
    return image.currentSrc.includes("-narrow.");
}))"""


@pytest.mark.parametrize(("width", "narrow"), [(360, True), (700, True), (720, False), (1440, False)])
def test_a_window_gets_the_picture_that_suits_it(open_page: Open, width: int, narrow: bool) -> None:
    page = open_page("transfer-learning.html", width=width)
    found = page.evaluate(CHOSEN)
    assert found and all(chosen == narrow for chosen in found)


def test_figures_keep_their_size_where_words_are_measured(open_page: Open) -> None:
    """The sizes of words in test_legible hold if a figure is not made smaller than there."""
    for width, column in ((360, 328), (1440, 790)):
        page = open_page("normalization.html", width=width)
        shown = page.eval_on_selector_all(
            "figure.bit-figure:not(.norm-explorer-live, .norm-circle-live) img.only-light",
            "images => images.map(i => [i.getBoundingClientRect().width, +i.getAttribute('width')])",
        )
        assert shown and all(now >= min(column, drawn if width > 700 else 336) - 1 for now, drawn in shown)


def test_paper_gets_the_wide_picture(open_page: Open) -> None:
    page = open_page("transfer-learning.html", width=360)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert not any(page.evaluate(CHOSEN))
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert all(page.evaluate(CHOSEN))


@pytest.mark.parametrize(
    ("address", "alive"),
    [
        ("transfer-learning.html", ".hyperrule .hyperrule-stairs"),
        ("normalization.html", "[data-part=groups]"),
        ("mixup.html", "#fig-mixup-mixer.mixer-live .mixer-curve"),
        ("mixup.html", "#fig-mixup-moons.moons-live .moons-boundary"),
    ],
)
def test_widgets_come_alive_on_their_pages(open_page: Open, address: str, alive: str) -> None:
    assert open_page(address).query_selector(alive) is not None


def test_without_scripts_each_figure_shows_one_picture(browser: Browser, site: Path) -> None:
    with browser.new_context(java_script_enabled=False, offline=True) as context:
        page = context.new_page()
        page.goto((site / "normalization.html").as_uri())
        figures = page.query_selector_all("figure.bit-figure")
        assert figures
        for figure in figures:
            assert len([image for image in figure.query_selector_all("img") if image.is_visible()]) == 1


def test_theme_switch_changes_the_ground(open_page: Open) -> None:
    page = open_page("index.html")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Color mode").first.click()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(ground) != light


def test_search_finds_weight_standardization(open_page: Open) -> None:
    page = open_page("search.html")
    page.goto(page.url + "?q=weight+standardization")
    page.wait_for_selector("#search-results li a", timeout=15_000)
    found = page.locator("#search-results li a").all_text_contents()
    assert any("ormalization" in title for title in found), found
