"""The half-moons' slider of the MixUp page, in a browser: it shows the layer and the shares of its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitdoc.figures.mixup import moons_slider
from bitdoc.studies.mixup.half_moons import SLIDER

STATIC = Path(__file__).parents[2] / "docs" / "_static"
PAGE = """<!DOCTYPE html><html data-theme="light"><head><meta charset="utf-8"><title>Half-moons</title>
<meta name="viewport" content="width=device-width"><style>{css}</style></head><body>{widget}
<figure id="fig-mixup-moons"><picture><img alt="still" src="data:,"></picture><figcaption>Fig. 1</figcaption></figure>
<script>{script}</script></body></html>"""

pytestmark = pytest.mark.browser


def write(folder: Path, script: bool = True) -> str:
    css, js = ((STATIC / f"mixup-moons.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    file = folder / "moons.html"
    file.write_text(PAGE.format(css=css, script=js if script else "", widget=moons_slider()), encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def page(browser, tmp_path):
    """The widget on a page of its own, with any request to the network recorded as a failure."""
    page = browser.new_page(viewport={"width": 800, "height": 700})
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if request.url.startswith("http") else None)
    page.goto(write(tmp_path))
    page.wait_for_selector(".moons:not([hidden])")
    yield page
    page.close()
    assert not troubles


def shown(page) -> list[str]:
    layers = page.query_selector_all("[data-layer]")
    return [layer.get_attribute("data-layer") for layer in layers if layer.query_selector("path").is_visible()]


def test_the_keyboard_goes_through_the_layers(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.part") == "alpha"
    tests = page.get_attribute(".moons", "data-tests").split()
    markers = []
    for place, alpha in enumerate(SLIDER):
        assert shown(page) == [f"{alpha:g}"]
        assert page.text_content("[data-part=alpha-text]") == f"{alpha:g}"
        assert f"Right on fresh points: {tests[place]}%" in page.text_content("[data-part=said]")
        assert page.get_attribute("[data-part=alpha]", "aria-valuetext") == f"{alpha:g}"
        markers.append(page.eval_on_selector("[data-part=marker]", "e => e.getBoundingClientRect().left"))
        page.keyboard.press("ArrowRight")
    assert markers == sorted(set(markers))
    assert "at alpha 2." in page.get_attribute("[data-part=map]", "aria-label")


def test_it_takes_the_place_of_the_still_and_gives_it_back_on_paper(page):
    assert page.evaluate("document.querySelector('.moons').parentElement.id") == "fig-mixup-moons"
    assert not page.is_visible("figure > picture > img")
    assert page.is_visible("figcaption")
    page.emulate_media(media="print")
    assert not page.is_visible(".moons")
    assert page.eval_on_selector("figure > picture > img", "i => getComputedStyle(i).display") != "none"


def test_without_javascript_only_the_still_is_there(browser, tmp_path):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(write(tmp_path, script=False))
        assert not page.is_visible(".moons")
        assert page.eval_on_selector("figure > picture > img", "i => getComputedStyle(i).display") != "none"


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.eval_on_selector(".moons", "e => e.getBoundingClientRect().height") < 600
