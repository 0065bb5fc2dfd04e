"""The pages on paper, under a finger, and for those who want nothing to move."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable

import pytest
from looks import TOO_WIDE
from playwright.sync_api import Page
from pypdf import PdfReader

Open = Callable[..., Page]
SECTIONS = ("transfer-learning", "architecture", "normalization", "mixup", "models", "few-shot")

ON_PAPER = """() => [...document.querySelectorAll('figure.bit-figure, .bit-figure-plain')].map(f =>
    [...f.querySelectorAll('img')].filter(i => i.checkVisibility()).map(i => i.className))"""
# The longest piece of each answer's first paragraph that holds no formula, whose signs a PDF orders in its own way.
ANSWERS = """() => [...document.querySelectorAll('article details .sd-summary-content > p:first-child')].map(p => {
    const copy = p.cloneNode(true);
    for (const formula of copy.querySelectorAll('math')) formula.replaceWith('\u00a4');
    return copy.textContent.split('\u00a4').sort((a, b) => b.length - a.length)[0];
})"""
# Of the paragraphs of four lines and more; the last line is half full on average. Formulas are no signs of a line.
SIGNS_A_LINE = """() => [...document.querySelectorAll('article section > p:not(:has(math))')]
    .filter(p => p.checkVisibility())
    .map(p => [p.textContent.trim().replace(/\\s+/g, ' ').length,
        Math.round(p.getBoundingClientRect().height / parseFloat(getComputedStyle(p).lineHeight))])
    .filter(([, lines]) => lines >= 4).map(([signs, lines]) => signs / (lines - 0.5))"""
WIDEST = """() => Math.max(
    ...[...document.querySelectorAll('article section > p')].map(p => p.getBoundingClientRect().width))"""
MOVING = """() => [...document.querySelectorAll('*')].filter(e => { const s = getComputedStyle(e);
    return s.transitionDuration.split(', ').some(d => d !== '0s') || s.animationName !== 'none'; })
    .slice(0, 5).map(e => e.outerHTML.slice(0, 100))"""


def in_one_word(text: str) -> str:
    """Letters and digits alone, as they are in plain text: no ligatures, no letters of the mathematical alphabets."""
    return re.sub(r"\W+", "", unicodedata.normalize("NFKC", text))


@pytest.mark.parametrize("width", [768, 1440])
def test_a_line_of_text_has_65_to_75_signs(open_page: Open, width: int) -> None:
    page, found = open_page("index.html", width=width), {}
    for name in SECTIONS:
        page.goto(page.url.rpartition("/")[0] + f"/{name}.html")
        signs = page.evaluate(SIGNS_A_LINE)
        if len(signs) >= 5:  # the mean of fewer says more of them than of the page
            found[name] = sum(signs) / len(signs)
    assert len(found) >= 4
    assert all(65 <= mean <= 75 for mean in found.values()), found


@pytest.mark.parametrize("name", SECTIONS)
def test_a_page_on_paper_is_light_and_whole(open_page: Open, name: str) -> None:
    page = open_page(f"{name}.html", theme="dark", width=720)
    pieces = page.evaluate(ANSWERS)
    pdf = PdfReader(io.BytesIO(page.pdf(format="A4")))
    assert page.evaluate("document.documentElement.dataset.theme") == "dark", "as it was"
    printed = in_one_word("".join(sheet.extract_text() for sheet in pdf.pages))
    for answer in pieces:
        assert in_one_word(answer)[:40] in printed, answer
    assert "codeofthisfigure" not in printed and "howmeasured" not in printed
    for theme in ("dark", "light"):
        page.emulate_media(media="print", color_scheme=theme)
        shown = page.evaluate(ON_PAPER)
        assert shown and all(classes == ["only-light"] for classes in shown), shown
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.wait_for_function("[...document.images].filter(i => i.checkVisibility()).every(i => i.naturalWidth > 0)")
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(34, 40, 50)", "dark words on paper"
        assert not page.evaluate(TOO_WIDE)
        text = page.evaluate(WIDEST)
        for note in page.locator("article aside.margin").all():
            assert note.bounding_box()["width"] > 0.6 * text, "a note stands in the text"
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.evaluate("document.querySelectorAll('article details[open]').length") == 0


@pytest.mark.parametrize("width", [360, 1440])
def test_a_figure_opens_over_the_page(open_page: Open, width: int) -> None:
    page = open_page("mixup.html", width=width)
    figure = page.locator("figure.bit-figure").first
    drawn = int(figure.locator("img").first.get_attribute("width"))
    before = page.url
    figure.locator("a.bit-enlarge:visible").click()
    dialog = page.locator("dialog.bit-enlarged")
    assert dialog.is_visible() and page.url == before
    box = dialog.bounding_box()
    assert (box["width"], box["height"]) == (width, 900)
    assert dialog.locator("img").bounding_box()["width"] >= drawn, "never smaller than drawn"
    # The short name of "pan-x pan-y pinch-zoom".
    assert dialog.locator("div").evaluate("e => getComputedStyle(e).touchAction") == "manipulation"
    assert dialog.locator("img").get_attribute("alt") and dialog.locator("p").text_content().startswith("Fig.")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.className").count("bit-enlarge") == 1, "the focus is where it was"
    figure.locator("img:visible").click()
    assert dialog.is_visible()
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible() and not page.trouble


@pytest.mark.parametrize("kind", ["bibliography.html#", "glossary.html#", "#fig-", "#tab-", "#equation-"])
def test_the_first_tap_shows_a_card_and_the_second_goes_there(open_page: Open, kind: str) -> None:
    page = open_page("architecture.html", width=390, touch=True)
    link, before = page.locator(f"article p a[href^='{kind}']:visible").first, page.url
    link.tap()
    card = page.locator("#card-shown")
    assert card.is_visible() and page.url == before
    box = card.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 900
    link.tap()
    page.wait_for_function("before => location.href !== before", arg=before)
    assert link.get_attribute("href").partition("#")[2] == page.url.partition("#")[2] if kind[0] == "#" else True
    assert not page.trouble


def test_a_tap_beside_a_card_closes_it(open_page: Open) -> None:
    page = open_page("normalization.html", width=390, touch=True)
    page.locator("article a[href^='bibliography.html#']").first.tap()
    assert page.locator("#card-shown").is_visible()
    page.touchscreen.tap(200, 880)
    page.locator("#card-shown").wait_for(state="hidden")


def test_a_reference_to_a_figure_shows_the_figure(open_page: Open) -> None:
    page = open_page("normalization.html")
    link = page.locator("article p a[href^='#fig-']").first
    link.focus()
    card = page.locator("#card-shown")
    assert card.locator("img:visible").count() == 1 and "Fig." in card.text_content()
    assert "code of this figure" not in card.text_content()
    assert page.evaluate(
        "[...document.querySelectorAll('[id]')].length === new Set("
        "[...document.querySelectorAll('[id]')].map(e => e.id)).size"
    ), "no name stands twice"


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("weight standardization", "normalization.html"),
        ("group norm", "normalization.html"),
        ("hyperrule", "transfer-learning.html"),
        ("own images", "run-it.html#fine-tune-on-your-own-images"),
        ("mixup", "mixup.html"),
        ("focal loss", "models.html"),
    ],
)
def test_a_search_finds_first_what_explains(open_page: Open, words: str, place: str) -> None:
    page = open_page("search.html", width=360)
    page.goto(f"{page.url}?q={words.replace(' ', '+')}")
    page.wait_for_selector("#search-results li a", timeout=15_000)
    page.wait_for_function("document.querySelector('.search-summary').textContent.includes('found')")
    links = page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.getAttribute('href'))")
    assert links[0].startswith(place), links[:8]
    page.wait_for_selector("#search-results li:first-child p.context")
    told = page.locator("#search-results li:first-child p.context").inner_text()
    assert 20 < len(told) < 200 and words.split()[0] in told.lower(), told
    assert (
        page.locator("#search-results li p.context").count()
        > 0.9 * page.locator("#search-results li:not(.kind-object)").count()
    )
    assert not page.evaluate(TOO_WIDE)


def test_nothing_moves_for_those_who_ask(open_page: Open) -> None:
    for address in ("index.html", "run-it.html", "normalization.html"):
        assert not open_page(address).evaluate(MOVING), address
