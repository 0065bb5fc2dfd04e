"""The filter on a circle in a browser: its walk against ``bitdoc``, its controls, keyboard, phone, paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitdoc.figures.normalization import circle

STATIC = Path(__file__).parents[2] / "docs" / "_static"
PAGE = """<!DOCTYPE html><html data-theme="light"><head><meta charset="utf-8"><title>Circle</title>
<meta name="viewport" content="width=device-width"><style>{css}</style></head><body>
<figure id="fig-norm-circle"><picture><img alt="still" src="data:,"></picture><figcaption>Fig. 1</figcaption></figure>
<script>{script}</script></body></html>"""

pytestmark = pytest.mark.browser


@pytest.fixture
def file(tmp_path):
    css, script = ((STATIC / f"norm-circle.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    path = tmp_path / "circle.html"
    path.write_text(PAGE.format(css=css, script=script), encoding="utf-8")
    return path


@pytest.fixture
def page(browser, file):
    """The widget on a page of its own; script errors and requests to the network fail the test."""
    context = browser.new_context(viewport={"width": 800, "height": 1000}, offline=True)
    page, troubles = context.new_page(), []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if request.url.startswith("http") else None)
    page.goto(file.as_uri())
    yield page
    context.close()
    assert not troubles


def said(page) -> str:
    return page.text_content("[data-part=said]")


@pytest.mark.parametrize(
    ("rate", "decay", "standardized"), [(0.1, 0.05, True), (0.1, 0, True), (0.5, 0.1, True), (0.02, 0.01, False)]
)
def test_its_walk_is_that_of_the_still(page, rate, decay, standardized):
    got = page.evaluate("([r, d, s]) => window.normCircle.walk(r, d, s)", [rate, decay, standardized])
    expected = circle.walk(rate, decay, standardized)
    assert [tuple(tip) for tip in got["tips"]] == [pytest.approx(tip, rel=1e-9, abs=1e-12) for tip in expected.tips]
    assert got["angles"] == pytest.approx(expected.angles, rel=1e-7, abs=1e-9)


def test_it_begins_as_the_still_and_says_so(page):
    tip = circle.walk(circle.RATE, circle.DECAY, True).tips[-1]
    turned = circle.smoothed(circle.walk(circle.RATE, circle.DECAY, True).angles)[-1]
    assert f"{(tip[0] ** 2 + tip[1] ** 2) ** 0.5:.2f} long" in said(page)
    assert f"turned it by {turned:.2f}°" in said(page)
    assert f"balance at {circle.balance(circle.RATE, circle.DECAY):.2f}°" in said(page)


def test_the_keyboard_is_enough(page):
    page.focus("[data-part=decay]")
    page.keyboard.press("Home")
    assert page.text_content("[data-part=decay-text]") == "0"
    assert "balance" not in said(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert said(page).startswith("Before the first step the filter is 1.00 long")
    page.keyboard.press("ArrowRight")
    assert said(page).startswith("After step 1 the filter")
    page.focus("[value=standardized]")
    page.keyboard.press("ArrowRight")
    page.focus("[data-part=step]")
    page.keyboard.press("End")
    plain = circle.walk(circle.RATE, 0, False).tips[-1]
    assert f"{(plain[0] ** 2 + plain[1] ** 2) ** 0.5:.2f} long" in said(page)


def test_it_takes_the_place_of_the_still_and_gives_it_back_on_paper(page):
    assert page.is_visible(".norm-circle")
    assert not page.is_visible("figure > picture > img")
    page.emulate_media(media="print")
    assert not page.is_visible(".norm-circle")
    assert page.eval_on_selector("figure > picture > img", "i => getComputedStyle(i).display") != "none"


def test_without_javascript_only_the_still_is_there(browser, file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator(".norm-circle").count() == 0
    assert page.eval_on_selector("figure > picture > img", "i => getComputedStyle(i).display") != "none"
    context.close()


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
