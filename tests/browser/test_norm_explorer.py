"""The explorer of the normalization page in a browser: its numbers against the package's, keyboard, phone, paper."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bitdoc.figures.normalization.blocks import apply, same_set
from bitdoc.figures.normalization.explorer import explorer_block, movement
from bitdoc.network import norms

STATIC = Path(__file__).parents[2] / "docs" / "_static"
PAGE = """<!DOCTYPE html><html data-theme="light"><head><meta charset="utf-8"><title>Explorer</title>
<meta name="viewport" content="width=device-width"><style>{css}</style></head><body>
<figure id="fig-norm-explorer"><picture><img alt="still" src="data:,"></picture><figcaption>Fig. 1</figcaption></figure>
<script>{script}</script></body></html>"""
SHAPE = (3, 8, 2, 2)
KINDS = [("batch", 4), ("layer", 1), ("instance", 8), *(("group", groups) for groups in (1, 2, 4, 8))]

pytestmark = pytest.mark.browser


@pytest.fixture
def context(browser):
    context = browser.new_context(viewport={"width": 800, "height": 1000}, offline=True)
    yield context
    context.close()


@pytest.fixture
def file(tmp_path):
    css, script = ((STATIC / f"norm-explorer.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    path = tmp_path / "explorer.html"
    path.write_text(PAGE.format(css=css, script=script), encoding="utf-8")
    return path


@pytest.fixture
def page(context, file):
    """The widget on a page of its own; script errors and requests to the network fail the test."""
    page, troubles = context.new_page(), []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if request.url.startswith("http") else None)
    page.goto(file.as_uri())
    page.click("#nx-tab-a")
    yield page
    assert not troubles


def set_slider(page, part: str, value: float) -> None:
    page.eval_on_selector(
        f"[data-part={part}]",
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); }",
        value,
    )


def choose(page, kind: str, groups: int = 4) -> None:
    page.check(f"input[value={kind}]")
    if kind == "group":
        set_slider(page, "groups", (1, 2, 4, 8).index(groups))


def marked(page, name: str) -> torch.Tensor:
    """Which cells have a class, as booleans of shape (3, 8, 2, 2)."""
    cells = page.eval_on_selector_all(
        "[role=gridcell]", f"cells => cells.map(c => [Number(c.dataset.index), c.classList.contains('{name}')])"
    )
    return torch.tensor([flag for _, flag in sorted(cells)]).reshape(SHAPE)


def text(page, part: str) -> str:
    return page.text_content(f"[data-part={part}]").replace("−", "-")


def test_its_blocks_are_those_of_the_still(page):
    numbers = page.evaluate("[window.normExplorer.BLOCK, window.normExplorer.OTHER]")
    assert torch.equal(torch.tensor(numbers[0], dtype=torch.float).reshape(SHAPE), explorer_block())
    changed = explorer_block(changed=True)[1]
    assert torch.equal(torch.tensor(numbers[1], dtype=torch.float).reshape(8, 2, 2), changed)


@pytest.mark.parametrize(("kind", "groups"), KINDS)
def test_its_numbers_are_those_of_bitdoc(page, kind, groups):
    x = torch.randn(SHAPE, dtype=torch.double) * 3 + 1
    x[0, :2] = 5  # equal values: epsilon decides
    got = page.evaluate(
        "([x, kind, groups]) => window.normExplorer.normalize(x, kind, groups)", [x.flatten().tolist(), kind, groups]
    )
    expected = apply(kind, x, groups)
    assert torch.allclose(torch.tensor(got, dtype=torch.double).reshape(SHAPE), expected, rtol=1e-9, atol=1e-9)


def test_standardized_filters_are_those_of_bitdoc(page):
    for values in (torch.randn(8, dtype=torch.double), torch.ones(8, dtype=torch.double)):
        got = page.evaluate("v => window.normExplorer.standardize(v)", values.tolist())
        expected = norms.standardize(values.reshape(1, 2, 2, 2)).flatten()
        assert torch.allclose(torch.tensor(got, dtype=torch.double), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("kind", "groups"), KINDS)
def test_it_marks_the_set_and_prints_its_mean(page, kind, groups):
    choose(page, kind, groups)
    place = (2, 5)
    page.click(f"[data-index='{(place[0] * 8 + place[1]) * 4}']")
    expected = same_set(kind, SHAPE, place, groups)[:, :, None, None].expand(SHAPE)
    assert torch.equal(marked(page, "nx-in"), expected)
    values = explorer_block()[expected]
    said = text(page, "set")
    assert f"with {len(values)} values" in said
    assert f"mean {values.mean():.2f}, standard deviation {values.std(correction=0):.2f}" in said
    assert f"normalized {apply(kind, explorer_block(), groups)[(*place, 0, 0)]:.2f}" in said


@pytest.mark.parametrize(("kind", "groups"), KINDS)
def test_exchanging_an_image_moves_the_outputs_that_bitdoc_says(page, kind, groups):
    choose(page, kind, groups)
    set_slider(page, "change", 100)
    before, after = (apply(kind, explorer_block(changed), groups) for changed in (False, True))
    moved = (after - before).abs() > 1e-6
    assert torch.equal(marked(page, "nx-moved"), moved)
    counts = moved.flatten(1).sum(1).tolist()
    assert ", ".join(f"image {k + 1}: {n} of 32" for k, n in enumerate(counts)) in text(page, "moved")
    assert (counts[0] > 0) == (kind == "batch")


STATES = [
    {"changed": False, "members": (0, 1, 2), "micro": False, "evaluation": False},
    {"changed": True, "members": (0, 1, 2), "micro": False, "evaluation": False},
    {"changed": True, "members": (0, 2), "micro": False, "evaluation": False},
    {"changed": False, "members": (0,), "micro": False, "evaluation": False},
    {"changed": True, "members": (0, 1, 2), "micro": True, "evaluation": False},
    {"changed": True, "members": (0, 1), "micro": False, "evaluation": True},
]


@pytest.mark.parametrize("state", STATES, ids=str)
def test_its_maps_show_the_movement_that_bitdoc_computes(page, state):
    page.click("#nx-tab-m")
    for image in {0, 1, 2} - set(state["members"]):
        page.uncheck(f"[data-part=member-{image + 1}]")
    for part in ("micro", "evaluation"):
        page.set_checked(f"[data-part={part}]", state[part])
    set_slider(page, "swap", 100 * state["changed"])
    for kind, groups in (("batch", 1), ("layer", 1), ("instance", 8), ("group", 4)):
        expected = movement(kind, groups, **state).mean(1)
        shown = page.locator(f"[data-part=map-{kind}] b").all_text_contents()
        assert shown == ["out" if torch.isnan(mean) else f"{mean:.2f}" for mean in expected]
        told = page.get_attribute(f"[data-part=map-{kind}]", "aria-label")
        assert told.count("not in the batch") == 3 - len(state["members"])


def test_the_last_image_stays_in_the_batch(page):
    page.click("#nx-tab-m")
    page.uncheck("[data-part=member-1]")
    page.uncheck("[data-part=member-2]")
    page.click("[data-part=member-3]")
    assert page.is_checked("[data-part=member-3]")


def drag(page, image: int, onto: str) -> None:
    """Drag an image of the batch onto the middle of a part of the widget."""
    start, end = (page.locator(place).bounding_box() for place in (f".nx-image:has([data-part=member-{image}])", onto))
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=5)
    page.mouse.up()


def test_an_image_can_be_dragged_out_of_the_batch_and_back(page):
    page.click("#nx-tab-m")
    drag(page, 2, "[data-part=aside]")
    assert not page.is_checked("[data-part=member-2]")
    assert page.locator("[data-part=aside] label").all_text_contents() == [" image 2"]
    assert page.locator("[data-part=map-batch] b").all_text_contents()[1] == "out"
    drag(page, 3, "#nx-tab-w")  # any place outside the frame will do
    drag(page, 1, "[data-part=aside]")
    assert page.is_checked("[data-part=member-1]")  # the last image stays
    drag(page, 2, "[data-part=batch]")
    drag(page, 3, "[data-part=batch]")
    assert page.locator("[data-part=batch] label").all_text_contents() == [" image 1", " image 2", " image 3"]
    drag(page, 1, "[data-part=batch]")  # within its frame: no click either
    assert page.is_checked("[data-part=member-1]")
    page.click(".nx-image:has([data-part=member-1])")
    assert not page.is_checked("[data-part=member-1]")


def test_an_image_leaves_the_batch_by_the_keyboard_and_by_a_finger(page, browser, file):
    page.click("#nx-tab-m")
    page.focus("[data-part=member-3]")
    for outside in (True, False):
        page.keyboard.press("Space")
        assert page.locator("[data-part=aside] [data-part=member-3]").count() == outside
        assert page.evaluate("document.activeElement.dataset.part") == "member-3"
    context = browser.new_context(viewport={"width": 360, "height": 800}, has_touch=True)
    phone = context.new_page()
    phone.goto(file.as_uri())
    image, aside = (phone.locator(f"[data-part={part}]").bounding_box() for part in ("member-3", "aside"))
    touch = context.new_cdp_session(phone)
    for kind, place in (("touchStart", image), ("touchMove", aside), ("touchEnd", None)):
        points = [{"x": place["x"] + 8, "y": place["y"] + 8}] if place else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert not phone.is_checked("[data-part=member-3]")
    context.close()


def test_each_tab_is_seen_whole_on_a_laptop(page):
    # 1366 x 768 less the browser's own bars and the page's head; the page's text is 736 wide there.
    page.set_viewport_size({"width": 736, "height": 768})
    for tab in ("#nx-tab-m", "#nx-tab-a", "#nx-tab-w"):
        page.click(tab)
        assert page.locator(".norm-explorer").bounding_box()["height"] <= 560, tab


def test_it_opens_on_what_the_still_shows(page):
    page.click("#nx-tab-m")
    for kind, groups in (("batch", 1), ("layer", 1), ("instance", 8), ("group", 4)):
        shown = page.locator(f"[data-part=map-{kind}] b").all_text_contents()
        assert shown == [f"{mean:.2f}" for mean in movement(kind, groups).mean(1)]


def test_what_moves_is_said(page):
    page.click("#nx-tab-m")
    set_slider(page, "swap", 0)
    assert "no norm moves them" in text(page, "map-said")
    set_slider(page, "swap", 100)
    assert "under batch norm image 1 and image 3 moved all the same" in text(page, "map-said")
    page.check("[data-part=evaluation]")
    assert "no norm moves them" in text(page, "map-said")


def test_normalized_values_can_be_shown(page):
    page.check("[data-part=outputs]")
    shown = float(page.text_content("[data-index='0']").replace("−", "-"))
    assert shown == pytest.approx(norms.batch_norm(explorer_block())[0, 0, 0, 0].item(), abs=0.051)


def test_a_filter_may_be_multiplied_and_shifted_and_stays(page):
    page.click("#nx-tab-w")
    set_slider(page, "scale", 1)
    set_slider(page, "shift", -2.5)
    assert "multiplied by 10.00 and -2.5 added" in text(page, "filters-said")
    assert "moved by 0.00" in text(page, "filters-said")
    sums = [line.replace("−", "-") for line in page.locator(".nx-sum").all_text_contents()]
    assert sums[0] == "mean 7.50, s.d. 18.71"  # ten times the filter's mean of 1 and spread of 1.871, minus 2.5
    assert set(sums[1::2]) == {"mean 0.00, s.d. 1.00"}


def test_the_keyboard_is_enough(page):
    page.focus("#nx-tab-a")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == "batch"
    page.keyboard.press("ArrowLeft")  # round to the last
    assert page.evaluate("document.querySelector('.norm-explorer').dataset.kind") == "group"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert "8 of 1 channels: instance norm" in text(page, "groups-text")
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.index") == "12"  # image 1, channel 4
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("image 1, channel 5")
    assert marked(page, "nx-in")[0, 4].all()
    page.focus("#nx-tab-a")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#nx-w")
    assert not page.is_visible("#nx-a")


def test_it_takes_the_place_of_the_still_and_gives_it_back_on_paper(page):
    assert page.is_visible(".norm-explorer")
    assert not page.is_visible("figure > picture > img")
    assert page.is_visible("figcaption")
    page.emulate_media(media="print")
    assert not page.is_visible(".norm-explorer")
    assert page.eval_on_selector("figure > picture > img", "i => getComputedStyle(i).display") != "none"


def test_without_javascript_only_the_still_is_there(browser, file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator(".norm-explorer").count() == 0
    assert page.eval_on_selector("figure > picture > img", "i => getComputedStyle(i).display") != "none"
    context.close()


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 800})
    for tab in ("#nx-tab-m", "#nx-tab-a", "#nx-tab-w"):
        page.click(tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
