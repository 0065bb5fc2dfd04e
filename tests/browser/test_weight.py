"""What the front page weighs, how soon it is seen, and that nothing jumps."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from built_site import wire
from playwright.sync_api import Page

Open = Callable[..., Page]
FIRST_PAINT = """new Promise(done => new PerformanceObserver(list => list.getEntriesByName('first-contentful-paint')
    .forEach(paint => done(paint.startTime))).observe({type: 'paint', buffered: true}))"""
SHIFTS = """new Promise(done => new PerformanceObserver(list => done(list.getEntries()
    .map(e => [e.value, ...e.sources.map(s => s.node?.outerHTML?.slice(0, 80) ?? '')])))
    .observe({type: 'layout-shift', buffered: true}) ?? setTimeout(() => done([]), 800))"""
SCROLL = """async () => { for (let y = 0; y < document.body.scrollHeight; y += 600) {
    scrollTo(0, y); await new Promise(done => setTimeout(done, 60)); } }"""


def weights(page: Page) -> dict[str, int]:
    """Bytes on the wire of each file that the page has asked for."""
    files = {url2pathname(urlsplit(url).path) for url in page.asked if url.startswith("file:")}
    return {Path(file).name: wire(Path(file)) for file in files}


def heaviest(found: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(found.items(), key=lambda item: -item[1])[:6]


def test_the_front_page_is_light_until_own_pictures_are_asked_for(open_page: Open) -> None:
    page = open_page("index.html", width=1440)
    page.evaluate(SCROLL)
    rest = weights(page)
    assert sum(rest.values()) < 800_000, heaviest(rest)
    page.locator("[data-part=learn]").click()
    page.get_by_text("of 200").first.wait_for()
    page.wait_for_function("document.querySelector('[data-part=miniature]').textContent !== '–'")
    learned = weights(page)
    assert len(learned) > len(rest) and sum(learned.values()) < 1_500_000, heaviest(learned)
    assert not [name for name in learned if "fontawesome" in name or name.startswith("fa-")]


def test_no_page_asks_for_the_icons_of_the_theme(site: Path) -> None:
    assert not [path for path in site.rglob("*fontawesome*") if path.suffix == ".js"]
    assert not list(site.rglob("fa-*.woff2"))
    assert not [path for path in site.rglob("*.html") if "fontawesome.js" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("media", ["screen", "print"])
def test_an_icon_is_seen(open_page: Open, theme: str, media: str) -> None:
    page = open_page("index.html", theme=theme)
    page.emulate_media(media=media, color_scheme=theme)
    # Shown by hand, for paper leaves the buttons out.
    page.evaluate(
        "document.body.insertAdjacentHTML('afterbegin', '<p id=seen style=\"margin:0;padding:8px;font-size:32px;"
        'display:inline-block;position:fixed;z-index:9999;top:0;left:0"><i class="fa-solid fa-moon"></i></p>\')'
    )
    drawn = page.locator("#seen").screenshot()
    page.evaluate("document.querySelector('#seen i').className = ''")
    assert drawn != page.locator("#seen").screenshot()


def share_of_a_core() -> float:
    """How much of a core this machine gives to one process: what else it does would count as the page's time."""
    began, worked = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < 0.2:
        pass
    return (time.process_time() - worked) / (time.perf_counter() - began)


def test_the_front_page_is_seen_within_a_second(open_page: Open) -> None:
    page, times = open_page("index.html", width=1440), []
    for _ in range(5):
        before = share_of_a_core()
        page.reload()
        times.append(page.evaluate(FIRST_PAINT) * min(1, (before + share_of_a_core()) / 2))
    assert min(times) < 1000, f"first paint after {times} ms"


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("address", ["index.html", "few-shot.html", "transfer-learning.html", "normalization.html"])
def test_nothing_jumps(open_page: Open, address: str, width: int) -> None:
    page = open_page(address, width=width)
    page.wait_for_timeout(500)
    shifts = page.evaluate(SHIFTS)
    assert sum(value for value, *_ in shifts) < 0.01, shifts
