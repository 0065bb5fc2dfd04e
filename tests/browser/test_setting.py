"""How the pages are set: edges, sizes and colors that are one on all pages, and what must not be broken or covered."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

Open = Callable[..., Page]
SECTIONS = ("transfer-learning", "architecture", "normalization", "mixup", "models", "few-shot")
PAGES = (
    *(f"{name}.html" for name in SECTIONS),
    "index.html",
    "run-it.html",
    "paper-vs-code.html",
    "gallery/index.html",
)

# What stands in the text begins where the text begins; notes, lists and the inner parts of boxes do not.
EDGES = """() => {
    const at = e => Math.round(e.getBoundingClientRect().left);
    const left = at(document.querySelector('article h1'));
    const set = 'section > :is(p, h2, h3, figure, div.math, details, .pst-scrollable-table-container), figcaption,' +
        'figure > picture > img, table, .sd-col, .sphx-glr-thumbnails, div.highlight';
    return [...document.querySelectorAll('article ' + set.split(',').join(', article '))]
        .filter(e => e.checkVisibility() && !e.closest('aside, .sd-tab-set, td, li, dd, .sd-card-body, .cell_input'))
        .filter(e => !e.matches('.sd-col') || at(e) - left < 60)
        .map(e => [at(e) + (e.matches('.sd-col') ? parseFloat(getComputedStyle(e).paddingLeft) : 0) - left, e])
        .filter(([off]) => Math.abs(off) > 1).map(([off, e]) => `${off} px: ${e.outerHTML.slice(0, 90)}`);
}"""
RIGHT = """() => {
    const measure = Math.round(document.querySelector('article section > p:not(.reading-time)').parentElement
        .querySelector('p').getBoundingClientRect().left + 34 * 16);
    return [...document.querySelectorAll('div.math:not(:has(.more-beyond)) .eqno')].filter(e => e.checkVisibility())
        .map(e => { const all = document.createRange(); all.selectNodeContents(e);
            if (e.querySelector('.headerlink')) all.setEndBefore(e.querySelector('.headerlink'));
            return Math.round(all.getBoundingClientRect().right - measure); })
        .filter(off => off < -3);
}"""
CAPTIONS = """() => [...document.querySelectorAll('article figcaption, article table > caption')]
    .filter(e => e.checkVisibility() && !e.closest('.models-table'))
    .map(e => { const s = getComputedStyle(e); return `${s.fontSize} ${s.textAlign} ${s.color}`; })"""
CELLS = """() => [...document.querySelectorAll('article table:not(.models-table, .indextable) :is(td, th)')]
    .filter(e => e.checkVisibility()).map(e => getComputedStyle(e).fontSize)"""
LINKS = """() => [...document.querySelectorAll('article :is(p, td, li, caption, figcaption, dd) a[href]')]
    .filter(e => e.checkVisibility() && !e.matches('.term, .headerlink, .sd-btn, .copybtn, .viewcode-link'))
    .map(e => getComputedStyle(e.querySelector('code .pre, code') ?? e).color)"""
# A name that has room on a line stands on one.
BROKEN = """() => [...document.querySelectorAll('article :is(.whole:not(:has(math)), .std-numref, pre .word)')]
    .filter(e => e.checkVisibility() && !e.closest('math')).filter(e => {
        const all = document.createRange(); all.selectNodeContents(e);
        const tops = new Set([...all.getClientRects()].filter(r => r.width > 0).map(r => Math.round(r.top / 8)));
        const room = e.closest('p, td, th, pre, figcaption, caption, dd, li, h1, h2, h3')?.clientWidth ?? 0;
        return tops.size > 2 && e.textContent.length * 7 < room; }).map(e => e.textContent)"""
SMALL = """() => [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('svg, math'))
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .filter(e => !e.matches('.headerlink') && parseFloat(getComputedStyle(e).fontSize) > 0)
    .filter(e => parseFloat(getComputedStyle(e).fontSize) < 12)
    .map(e => `${getComputedStyle(e).fontSize} ${e.outerHTML.slice(0, 80)}`)"""
# What is no word in a sentence is high and wide enough for a finger.
TARGETS = """() => [...document.querySelectorAll('a[href], button, summary, input:not([hidden]), select')]
    .filter(e => e.checkVisibility({visibilityProperty: true, opacityProperty: true}))
    .filter(e => !getComputedStyle(e).display.startsWith('inline') || e.matches('button, input, select'))
    .map(e => [e, e.matches('input[type=radio], input[type=checkbox]') ? e.closest('label') ?? e : e])
    .map(([e, all]) => [e, all.getBoundingClientRect()])
    .filter(([, r]) => r.width > 1 && r.height > 1 && (r.height < 23.5 || r.width < 23.5))
    .map(([e, r]) => `${Math.round(r.width)} x ${Math.round(r.height)} ${e.outerHTML.slice(0, 100)}`)"""
BEYOND = """() => [...document.querySelectorAll('.pst-scrollable-table-container, .math-scroll')]
    .filter(e => e.checkVisibility())
    .filter(e => e.classList.contains('more-beyond') !== (e.scrollWidth - e.clientWidth - e.scrollLeft > 4))
    .map(e => e.outerHTML.slice(0, 100))"""
MASKED = (
    "() => [...document.querySelectorAll('.more-beyond')].filter(e => getComputedStyle(e).maskImage !== 'none').length"
)
SIZES = """() => [...document.querySelectorAll('.sphx-glr-thumbcontainer img')].filter(i => i.checkVisibility())
    .map(i => Math.max(i.clientWidth / i.getAttribute('width'), i.clientHeight / i.getAttribute('height')))"""


@pytest.mark.parametrize("address", PAGES)
def test_edges_sizes_and_colors_are_one(open_page: Open, address: str) -> None:
    page = open_page(address, width=1440)
    assert not page.evaluate(EDGES)
    assert not page.evaluate(RIGHT), "numbers of equations end where the text ends"
    assert len(set(page.evaluate(CAPTIONS))) <= 1
    assert set(page.evaluate(CELLS)) <= {"14.4px"}
    assert len(set(page.evaluate(LINKS))) <= 1
    assert not page.evaluate(BROKEN)
    assert not page.evaluate(SMALL)


@pytest.mark.parametrize("address", [*PAGES, "own-pictures.html", "gallery/plot_own_pictures.html", "search.html"])
def test_a_finger_hits_and_nothing_is_broken_on_a_phone(open_page: Open, address: str) -> None:
    page = open_page(address, width=360)
    assert not page.evaluate(TARGETS)
    assert not page.evaluate(BROKEN)
    assert not page.evaluate(SMALL)


def test_what_goes_on_beyond_the_edge_fades_there(open_page: Open) -> None:
    page = open_page("mixup.html", width=360)
    page.wait_for_function("document.querySelectorAll('.more-beyond').length > 2")
    assert not page.evaluate(BEYOND)
    assert page.evaluate(MASKED) > 2
    page.evaluate("for (const box of document.querySelectorAll('.more-beyond')) box.scrollLeft = 9999")
    page.wait_for_function("document.querySelectorAll('.more-beyond').length === 0")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.wait_for_timeout(200)
    assert not page.evaluate(BEYOND)


def test_a_table_of_sentences_is_a_list_on_a_phone(open_page: Open) -> None:
    page = open_page("paper-vs-code.html", width=360)
    for table in page.locator("table.sentences").all():
        assert table.evaluate("t => t.getBoundingClientRect().width") <= 360
        cell = table.locator("tbody td").nth(1)
        assert cell.evaluate("e => e.getBoundingClientRect().width") > 280
        assert cell.evaluate("e => getComputedStyle(e, '::before').content").startswith('"Paper')
    assert page.locator("table.sentences").count() == 3
    page.set_viewport_size({"width": 1100, "height": 900})
    assert page.locator("table.sentences thead").first.is_visible()


@pytest.mark.parametrize("width", [360, 1440])
def test_words_of_thumbnails_and_examples_can_be_read(open_page: Open, width: int) -> None:
    page = open_page("gallery/index.html", width=width)
    scales = page.evaluate(SIZES)
    # A narrow drawing has words of 10 pixels at 336 pixels across (tests/figures/test_legible.py).
    assert len(scales) > 10 and min(scales) > 0.85, scales
    page = open_page("gallery/plot_norm_axes.html", width=width)
    page.locator(".bit-figure-plain img:visible").first.scroll_into_view_if_needed()
    page.wait_for_function("[...document.querySelectorAll('.bit-figure-plain img')].some(i => i.currentSrc)")
    shown = page.locator(".bit-figure-plain img:visible").first.evaluate("i => i.currentSrc")
    assert ("-narrow" in shown) == (width == 360)


@pytest.mark.parametrize("width", [360, 1440])
def test_the_icon_of_a_search_covers_no_word(open_page: Open, width: int) -> None:
    page = open_page("search.html", width=width)
    field = page.locator("#search-container input, .bd-search-container input, main input[type=search]").first
    icon = page.locator("main form.bd-search i").first
    begin = field.evaluate("e => e.getBoundingClientRect().left + parseFloat(getComputedStyle(e).paddingLeft)")
    assert begin >= icon.evaluate("e => e.getBoundingClientRect().right")
