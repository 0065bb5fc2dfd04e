"""The planner on a page of its own: its rule and its costs against the package's, and its controls."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from built_site import docs_module
from playwright.sync_api import Browser, Page

from bitdoc import figures, train
from bitdoc.main import cli
from bitdoc.network import cost
from bitdoc.studies.fewshot import forecast
from bitdoc.training import hyperrule

STATIC = Path(__file__).parents[2] / "docs" / "_static"
PAGE = """<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Rule</title>
<meta name="viewport" content="width=device-width"><style>{css} img {{ max-width: 100%; }}
* {{ box-sizing: border-box; }} figure {{ margin: 0; }}</style>
<script>window.bitHyperRuleCosts = {costs}</script><script>{script}</script></head>
<body><figure id="fig-rule-path"><img src="rule-path-light.svg" alt="" width="560"></figure>
<div data-hyperrule></div></body></html>"""
#: Around every boundary of the rule.
EXAMPLES = (1, 10, 19_999, 20_000, 20_001, 499_999, 500_000, 1_281_167)
SIZES = ((32, 32), (95, 97), (95, 96), (96, 96), (1, 9_216), (224, 224))
#: Small, and quick to count; the site's page has all.
MODELS = ("BiT-T-R26x0.5", "BiT-M-R50x1", "BiT-M-R50x3")
GB = 2**30
#: Labels (their text, without what may be chosen) and words that stand on more than one line.
BROKEN = """() => [...document.querySelectorAll('.hyperrule label, .hyperrule-word')].filter(e => {
    const all = document.createRange(); all.selectNodeContents(e.firstChild);
    return new Set([...all.getClientRects()].map(r => Math.round(r.top / 8))).size > 1; }).map(e => e.textContent)"""

planner = docs_module("_ext/planner")
pytestmark = pytest.mark.xdist_group("planner")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planner's page and the figure above it."""
    folder = tmp_path_factory.mktemp("planner")
    drawn = figures.draw("rule-path")
    drawn.savefig(folder / "rule-path-light.svg")
    drawn.clear()
    costs = {"models": planner.costs(MODELS), **planner.constants()}
    costs["drawn"] = {"rule-path.svg": planner.outlines(folder / "rule-path-light.svg")}
    css, script = ((STATIC / f"hyperrule.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    page = PAGE.format(css=css, script=script, costs=json.dumps(costs))
    (folder / "rule.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One page for all tests, each of which loads it anew."""
    tab = browser.new_page()
    tab.set_default_timeout(120_000)
    tab.trouble = []
    tab.on("pageerror", lambda error: tab.trouble.append(str(error)))
    tab.on("request", lambda request: tab.trouble.append(request.url) if request.url.startswith("http") else None)
    yield tab
    tab.close()


@pytest.fixture
def page(tab: Page, folder: Path) -> Iterator[Page]:
    tab.set_viewport_size({"width": 800, "height": 900})
    tab.emulate_media(media="screen")
    tab.goto((folder / "rule.html").as_uri())
    yield tab
    assert not tab.trouble


def answers(page: Page) -> dict[str, str]:
    pairs = page.eval_on_selector_all("dl > div", "rows => rows.map(r => [...r.children].map(c => c.textContent))")
    return dict(pairs)


def lit(page: Page) -> set[str]:
    return set(page.eval_on_selector_all(".hyperrule-lit path", "paths => paths.map(p => p.dataset.part)"))


def commands(page: Page) -> list[list[str]]:
    return [shlex.split(text) for text in page.locator(".hyperrule-command code").all_text_contents()]


# ---- The rule and the costs are the package's ----------------------------------------------------------------------


def test_the_rule_is_that_of_the_package(page: Page) -> None:
    script = "all => all.map(n => (({RULE}) => [RULE.taskSize(n), RULE.mixup(n), RULE.schedule(n)])(bitHyperRule))"
    for examples, told in zip(EXAMPLES, page.evaluate(script, EXAMPLES), strict=True):
        expected = (hyperrule.task_size(examples), hyperrule.get_mixup(examples), hyperrule.get_schedule(examples))
        assert told == [*expected[:2], list(expected[2])]
    told = page.evaluate("all => all.map(([h, w]) => bitHyperRule.RULE.resolution(h, w))", SIZES)
    for size, found in zip(SIZES, told, strict=True):
        assert (found["resize"], found["crop"]) == hyperrule.get_resolution(size)


@pytest.mark.parametrize("examples", [100, 50_000, 1_281_167])
def test_the_learning_rate_is_that_of_the_package(page: Page, examples: int) -> None:
    schedule = hyperrule.get_schedule(examples)
    edges = {0, 1, 2, *(edge + shift for edge in schedule for shift in (-1, 0, 1))}
    steps = sorted(step for step in edges if step >= 0)
    rates = page.evaluate(
        "([n, steps]) => steps.map(t => bitHyperRule.RULE.learningRate(t, bitHyperRule.RULE.schedule(n)))",
        [examples, steps],
    )
    for step, rate in zip(steps, rates, strict=True):
        expected = hyperrule.get_lr(step, examples)
        assert rate == (None if expected is None else pytest.approx(expected, rel=1e-12)), step


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("crop", [128, 480])
def test_memory_split_and_time_are_those_of_the_package(page: Page, model: str, crop: int) -> None:
    arch = model.split("-")[-1]
    for precision in ("float32", "bfloat16"):
        for split in (1, 8, 512):
            told = page.evaluate("a => bitHyperRule.COST.memory(...a)", [model, crop, 512, split, precision])
            assert told == cost.memory(arch, crop, 512, split, precision).total
        for room in (1, 4, 16, 80):
            told = page.evaluate("a => bitHyperRule.COST.splitThatFits(...a)", [model, crop, 512, room * GB, precision])
            assert told == cost.split_that_fits(arch, crop, 512, room * GB, precision)
    told = page.evaluate("a => bitHyperRule.COST.seconds(...a)", [model, crop, 256_000, 65e12])
    assert told == pytest.approx(cost.seconds(arch, crop, 256_000, 0, 65e12))


def test_numbers_are_written_as_the_package_writes_them(page: Page) -> None:
    for seconds in (3.2, 89, 91, 5399, 5401, 99_999):
        assert page.evaluate("s => bitHyperRule.duration(s)", seconds) == forecast.duration(seconds)
    for size in (3e6, 6e7, 1.26e10):
        assert page.evaluate("s => bitHyperRule.gigabytes(s)", size) == forecast.gigabytes(size)


def test_the_site_offers_what_can_be_fine_tuned(site: Path) -> None:
    text = (site / "_static" / planner.SCRIPT).read_text(encoding="utf-8")
    known = json.loads(text.partition("=")[2].rstrip().rstrip(";"))
    assert list(known["models"]) == list(planner.MODELS)
    arch, crop = "R152x4", 480
    parts = known["models"][f"BiT-M-{arch}"]
    assert parts["activations"][str(crop)]["bfloat16"] == cost.activations(arch, crop, "bfloat16")
    assert all({"size", "below", "small", "to-small", "always"} <= set(d["parts"]) for d in known["drawn"].values())
    assert known["drawn"]


# ---- What the reader does ------------------------------------------------------------------------------------------


def test_a_number_typed_changes_the_plan(page: Page) -> None:
    for label, value in (("Classes", "10"), ("Images of each", "2000"), ("height", "32"), ("width", "32")):
        page.get_by_label(label).fill(value)
    told = answers(page)
    assert told["Task"] == "medium, 20,000 images"
    assert told["Resolution"] == "resize to 160, crop 128"
    assert told["Steps"] == "10,000 of 512 images"
    assert told["MixUp"] == "α = 0.1"
    assert told["Tenfold drops"] == "steps 3,000, 6,000, 9,000"
    assert told["Each image is seen"] == "256 times"
    page.get_by_label("Images of each").fill("1999")
    assert answers(page)["Task"] == "small, 19,990 images"
    assert answers(page)["MixUp"] == "none"


def test_every_choice_changes_something(page: Page) -> None:
    before = answers(page)
    page.get_by_role("combobox", name="Network").select_option("BiT-M-R50x3")
    wide = answers(page)
    assert wide["Memory"] != before["Memory"] and wide["Time, estimated"] != before["Time, estimated"]
    page.get_by_role("combobox", name="Card").select_option("H100")
    assert page.get_by_label("Its memory, GB").input_value() == "80"
    card = answers(page)
    assert int(card["Batch split"]) < int(wide["Batch split"]) and card["Time, estimated"] != wide["Time, estimated"]
    page.get_by_label("Its memory, GB").fill("10")
    assert page.get_by_role("combobox", name="Card").input_value() == "another card"
    assert int(answers(page)["Batch split"]) > int(wide["Batch split"])
    page.get_by_label("Its memory, GB").fill("1")
    assert answers(page)["Batch split"] == "none fits" and not commands(page)
    page.get_by_text("does not fit").wait_for()
    assert page.get_by_role("button", name="Copy").count() == 0


def test_the_path_lights_up_in_the_figure(page: Page) -> None:
    page.get_by_role("button", name="CIFAR-10, 10 per class").click()
    assert {"size", "below", "to-below", "examples", "to-small", "small", "always"} <= lit(page)
    assert not lit(page) & {"above", "medium", "large", "to-above"}
    page.get_by_role("button", name="ILSVRC-2012, all").click()
    assert {"above", "from-above", "to-large", "large"} <= lit(page)
    picture, over = page.locator("figure img").bounding_box(), page.locator(".hyperrule-lit").bounding_box()
    assert over == pytest.approx(picture, abs=1)
    box = page.locator(".hyperrule-lit path[data-part=large]").bounding_box()
    assert picture["x"] + picture["width"] / 2 < box["x"] and picture["y"] + picture["height"] / 2 < box["y"]


@pytest.mark.parametrize("name", ["50 cats, 50 dogs", "CIFAR-10, 10 per class", "CIFAR-10, all", "ILSVRC-2012, all"])
def test_the_command_is_one_that_the_package_takes(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()
    python, _, module, *flags = commands(page)[0]
    assert (python, module) == ("python", "bitdoc.train")
    order = train.Order(**vars(train.parser().parse_args(flags)))
    assert str(order.batch_split) == answers(page)["Batch split"]
    assert order.examples_per_class == (10 if "10 per" in name else None)
    assert order.dataset == {"5": "folder", "C": "cifar10", "I": "imagenet2012"}[name[0]]


def test_own_pictures_have_a_second_command(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page.get_by_role("button", name="CIFAR-10, all").click()
    assert len(commands(page)) == 1
    page.get_by_role("button", name="50 cats, 50 dogs").click()
    program, name, *told = commands(page)[1]
    (tmp_path / "my_images").mkdir()
    monkeypatch.chdir(tmp_path)
    asked = cli.commands[name].make_context(name, told).params
    assert program == "bitdoc" and asked["recipe_name"] == "rule" and asked["model"] == "BiT-M-R50x1"


def test_a_command_can_be_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_text(re.compile("Copied|Selected")).wait_for()
    chosen = page.evaluate("navigator.clipboard.readText()") or page.evaluate("String(getSelection())")
    assert shlex.split(chosen) == commands(page)[0]


def test_the_keyboard_is_enough_and_the_plan_is_told(page: Page) -> None:
    page.get_by_role("button", name="ILSVRC-2012, all").focus()
    page.keyboard.press("Enter")
    assert answers(page)["Task"] == "large, 1,281,167 images"
    assert page.get_by_label("Classes").input_value() == "1000"
    status = page.get_by_role("status")
    page.get_by_text("1,281,167 labeled images are a large task: 20,000 steps at 480 pixels, with MixUp.").wait_for()
    assert status.count() == 1 and page.locator("[aria-live]").count() == 0, "one sentence, not a table, is read out"
    for _ in range(4):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('label').textContent").startswith("Image height")


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
    page.get_by_label("Images of each").fill(text)
    assert answers(page) == {"Missing": "classes, images, height and width must be whole numbers of at least 1"}
    assert not lit(page) and not commands(page)
    page.get_by_label("Images of each").fill("100")
    assert answers(page)["Task"].startswith("small")


def test_a_data_set_has_only_so_many_images(page: Page) -> None:
    page.get_by_role("combobox", name="Images").select_option("cifar100")
    page.get_by_label("Images of each").fill("501")
    assert answers(page) == {"Missing": "a class of CIFAR-100 has 500 training images"}


@pytest.mark.parametrize("width", [360, 800])
def test_labels_and_words_stand_on_one_line(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.add_style_tag(content="body { font: 16px/1.5 sans-serif; margin: 1rem }")
    broken = page.evaluate(BROKEN)
    assert page.locator(".hyperrule label").count() > 8 and page.locator(".hyperrule-word").count() > 20
    assert not broken


def test_it_fits_a_phone_and_leaves_the_paper(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_function("document.documentElement.scrollWidth <= 360")
    page.emulate_media(media="print")
    page.wait_for_function(
        "![...document.querySelectorAll('[data-hyperrule], .hyperrule-lit')].some(e => e.checkVisibility())"
    )
