"""Every page, loaded once and looked at in both themes, at every width, and by an accessibility audit.

A page is loaded from disk with the network off; its theme and its width then change as they do under a reader's hand.
The pages are dealt to ``PARTS`` tests, so that several processes can share them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import axe_playwright_python
import looks
import pytest
from playwright.sync_api import Page

Open = Callable[..., Page]
PARTS = 16
WIDTHS = (360, 480, 768, 992, 1024, 1100, 1199, 1440, 1920)
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
# The audit would fetch style sheets again, which a page from disk may not.
RUN = """rules => axe.run(document, {resultTypes: ['violations'], preload: false, ...rules})
    .then(found => found.violations)"""
#: All that changes with the theme, for the audit, are colors.
COLORS = {"runOnly": ["color-contrast"]}
BAD = """document.querySelector('article p').innerHTML += '<img src="data:,"><i style="color:#ddd">faint</i>' +
    '<i class="fa-solid fa-unheard-of"></i>';
    document.querySelector('article').innerHTML += '<div style="width:3000px">wide</div>'"""


def audit(page: Page, rules: dict) -> list[str]:
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']} {node['html'][:120]}"
        for rule in page.evaluate(RUN, rules)
        for node in rule["nodes"]
    ]


def faults(page: Page) -> Iterator[tuple[str, list[str]]]:
    """What is wrong with a page that has loaded in light, by what was looked at."""
    page.evaluate(AXE)
    yield "loading", list(page.trouble)
    yield "broken pictures", page.evaluate(looks.BROKEN_PICTURES)
    yield "flat formulas", page.evaluate(looks.FLAT_FORMULAS)
    yield "icons", page.evaluate(looks.BARE_ICONS)
    yield "audit, light", audit(page, {})
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    yield "pictures changed by the dark", page.evaluate(looks.FILTERED_PICTURES)
    yield "icons, dark", page.evaluate(looks.BARE_ICONS)
    yield "audit, dark", audit(page, COLORS)
    page.emulate_media(color_scheme="light")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        yield f"scrolls sideways at {width}", page.evaluate(looks.TOO_WIDE)
        if width in (360, 1100, 1440):
            yield f"narrow notes at {width}", page.evaluate(looks.NARROW_NOTES)
            yield f"broken words at {width}", page.evaluate(looks.BROKEN_WORDS)
            yield f"cut commands at {width}", page.evaluate(looks.CUT_COMMANDS)
    yield "later", page.trouble[:]


@pytest.mark.parametrize("part", range(PARTS))
def test_no_page_has_a_fault(open_page: Open, site: Path, addresses: list[str], part: int) -> None:
    found = {}
    page = open_page("index.html")
    for address in addresses[part::PARTS]:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.trouble.clear()
        page.goto((site / address).as_uri())
        found |= {f"{address}: {what}": seen[:4] for what, seen in faults(page) if seen}
    assert not found


def test_a_fault_is_found(open_page: Open) -> None:
    page = open_page("glossary.html")
    page.evaluate(BAD)
    seen = {what: " ".join(map(str, found)) for what, found in faults(page) if found}
    assert "image-alt" in seen["audit, light"] and "color-contrast" in seen["audit, light"]
    assert "fa-unheard-of" in seen["icons"] and "3000px" in seen["scrolls sideways at 1440"]
