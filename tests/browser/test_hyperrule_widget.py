"""The HyperRule widget on a page of its own: its rule against ``bitdoc.training.hyperrule``, and its controls."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from bitdoc.training import hyperrule

STATIC = Path(__file__).parents[2] / "docs" / "_static"
PAGE = """<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Rule</title>
<meta name="viewport" content="width=device-width"><style>{css}</style><script>{script}</script></head>
<body><div data-hyperrule></div></body></html>"""
#: Around every boundary of the rule.
EXAMPLES = (1, 10, 19_999, 20_000, 20_001, 499_999, 500_000, 1_281_167)
SIZES = ((32, 32), (95, 97), (95, 96), (96, 96), (1, 9_216), (224, 224))


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    css, script = ((STATIC / f"hyperrule.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    file = tmp_path / "rule.html"
    file.write_text(PAGE.format(css=css, script=script), encoding="utf-8")
    page = browser.new_page(viewport={"width": 800, "height": 900})
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: trouble.append(request.url) if request.url.startswith("http") else None)
    page.goto(file.as_uri())
    yield page
    page.close()
    assert not trouble


def answers(page: Page) -> dict[str, str]:
    pairs = page.eval_on_selector_all("dl > div", "rows => rows.map(r => [...r.children].map(c => c.textContent))")
    return dict(pairs)


@pytest.mark.parametrize("source", ["code", "paper"])
def test_the_rule_is_that_of_the_package(page: Page, source: str) -> None:
    script = (
        "([all, s]) => all.map(n => [bitHyperRule.taskSize(n), bitHyperRule.mixup(n), bitHyperRule.schedule(n, s)])"
    )
    for examples, told in zip(EXAMPLES, page.evaluate(script, [EXAMPLES, source]), strict=True):
        expected = (
            hyperrule.task_size(examples),
            hyperrule.get_mixup(examples),
            hyperrule.get_schedule(examples, source),
        )
        assert told == [*expected[:2], list(expected[2])]
    script = "([all, s]) => all.map(([h, w, a]) => bitHyperRule.resolution(h, w, s, a))"
    cases = [(*size, arch) for size in SIZES for arch in ("", "R101x3", "R152x4")]
    for (*size, arch), told in zip(cases, page.evaluate(script, [cases, source]), strict=True):
        assert (told["resize"], told["crop"]) == hyperrule.get_resolution(tuple(size), source, arch)


@pytest.mark.parametrize("source", ["code", "paper"])
@pytest.mark.parametrize("examples", [100, 50_000, 1_281_167])
def test_the_learning_rate_is_that_of_the_package(page: Page, source: str, examples: int) -> None:
    schedule = hyperrule.get_schedule(examples, source)
    edges = {0, 1, 2, *(edge + shift for edge in schedule for shift in (-1, 0, 1))}
    steps = sorted(step for step in edges if step >= 0)
    rates = page.evaluate(
        "([n, s, steps]) => steps.map(t => bitHyperRule.learningRate(t, bitHyperRule.schedule(n, s)))",
        [examples, source, steps],
    )
    for step, rate in zip(steps, rates, strict=True):
        expected = hyperrule.get_lr(step, examples, source=source)
        assert rate == (None if expected is None else pytest.approx(expected, rel=1e-12)), step


def test_a_number_typed_changes_the_answers(page: Page) -> None:
    page.get_by_label("Labeled examples in all").fill("20000")
    page.get_by_label("Image height").fill("32")
    page.get_by_label("Image width").fill("32")
    told = answers(page)
    assert told["Task"] == "medium"
    assert told["Resolution"] == "resize to 160, crop 128"
    assert told["Steps"] == "10,000 of 512 images"
    assert told["MixUp"] == "α = 0.1"
    assert told["Tenfold drops"] == "steps 3,000, 6,000, 9,000"
    assert told["Each image is seen"] == "256 times"
    page.get_by_label("Labeled examples in all").fill("19999")
    assert answers(page)["Task"] == "small"
    assert answers(page)["MixUp"] == "none"


def test_paper_and_network_change_the_resolution(page: Page) -> None:
    page.get_by_label("Rule as in").select_option("paper")
    assert answers(page)["Resolution"] == "resize to 448, crop 384"
    assert answers(page)["Warm-up"] == "none"
    page.get_by_label("Network").select_option("R152x4")
    assert answers(page)["Resolution"] == "resize to 512, crop 480"


def test_the_keyboard_is_enough(page: Page) -> None:
    page.get_by_role("button", name="ILSVRC-2012, all").focus()
    page.keyboard.press("Enter")
    assert answers(page)["Task"] == "large"
    assert page.get_by_label("Labeled examples in all").input_value() == "1281167"
    page.get_by_label("Labeled examples, logarithmic").focus()
    page.keyboard.press("Home")
    assert page.get_by_label("Labeled examples in all").input_value() == "1"
    assert answers(page)["Task"] == "small"


def test_the_staircase_is_drawn_and_told(page: Page) -> None:
    plot = page.get_by_role("img")
    assert plot.get_attribute("aria-label") == (
        "Learning rate from 0.003, divided by ten after steps 200, 300, 400 of 500"
    )
    points = page.eval_on_selector(
        ".hyperrule-stairs", "p => p.getAttribute('d').match(/[ML][^ML]+/g).map(s => s.slice(1).split(' ').map(Number))"
    )
    heights = [y for _, y in points]
    treads = list(dict.fromkeys(heights[heights.index(min(heights)) :]))
    assert len(treads) == 4, "full rate and three tenfold drops"
    drops = [lower - upper for upper, lower in pairwise(treads)]
    assert min(drops) > 0 and max(drops) - min(drops) < 0.2, "equal steps on a logarithmic axis"


@pytest.mark.parametrize("text", ["", "0", "-3", "1.5"])
def test_a_wrong_number_is_named(page: Page, text: str) -> None:
    page.get_by_label("Labeled examples in all").fill(text)
    assert answers(page) == {"Missing": "examples, height and width must be whole numbers of at least 1"}
    page.get_by_label("Labeled examples in all").fill("100")
    assert answers(page)["Task"] == "small"


def test_it_fits_a_phone_and_leaves_the_paper(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.emulate_media(media="print")
    assert not page.is_visible("[data-hyperrule]")
