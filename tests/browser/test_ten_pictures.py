"""The few-shot learner in a browser: its network against ``bitdoc.load``, its head against the probe, and its use."""

from __future__ import annotations

import io
import statistics
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import bitdoc
from bitdoc.data import resize
from bitdoc.records import runs
from bitdoc.studies.fewshot import page_files, ten_pictures, which_runs
from bitdoc.training.loop import to_float

STATIC = Path(__file__).parents[2] / "docs" / "_static"
PARTS = ("net", "head", "own", "chart")
PAGE = """<!DOCTYPE html><html data-theme="light"><head><meta charset="utf-8"><title>Learner</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="ten-pictures.css">
<style>* {{ box-sizing: border-box; }} body {{ margin: 0; }}</style></head><body>
<div class="ten-pictures"><img alt="still" src="data:,"><p>sentence</p></div>{scripts}</body></html>"""

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("ten-pictures")]


@pytest.fixture(scope="module")
def kept():
    return ten_pictures.read()


@pytest.fixture(scope="module")
def file(tmp_path_factory, kept):
    """A page with the learner in a folder of its own, as a reader has it on disk."""
    folder = tmp_path_factory.mktemp("learner")
    for path in STATIC.glob("ten-pictures*"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "ten-pictures-data.js").write_text(page_files.data_script(kept), encoding="utf-8")
    (folder / "ten-pictures-features.js").write_text(page_files.features_script(kept), encoding="utf-8")
    (folder / "ten-pictures-weights.js").write_text(page_files.network_script(), encoding="utf-8")
    names = [*(f"ten-pictures-{part}.js" for part in PARTS), "ten-pictures.js"]
    page = PAGE.format(scripts="".join(f'<script src="{name}"></script>' for name in names))
    (folder / "page.html").write_text(page, encoding="utf-8")
    return folder / "page.html"


@pytest.fixture
def page(browser, file):
    """The learner, ready; script errors and requests to other hosts fail the test."""
    context = browser.new_context(viewport={"width": 800, "height": 1000}, offline=True, reduced_motion="reduce")
    page, troubles, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.asked = asked
    page.goto(file.as_uri())
    page.wait_for_selector(".tp")
    yield page
    context.close()
    assert not troubles
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]


def learn(page) -> str:
    page.evaluate("async () => { const l = document.querySelector('.ten-pictures').learner; await l.learn(); }")
    return page.text_content("[data-part=said]")


def in_64_steps(kept: ten_pictures.TenPictures, network: str) -> torch.Tensor:
    return (kept.features(network).sqrt() / 255 * 63).round().square()


def set_slider(page, selector: str, value: float) -> None:
    page.eval_on_selector(
        selector, "(s, v) => { s.value = v; s.dispatchEvent(new Event('input', { bubbles: true })); }", value
    )


def load_weights(page) -> None:
    page.add_script_tag(url=page.url.replace("page.html", "ten-pictures-weights.js"))


@pytest.mark.parametrize("in_page", [False, True], ids=["worker", "fallback"])
def test_the_network_is_that_of_bitdoc(page, kept, in_page):
    pixels = torch.from_numpy(kept.pictures()[205::10].copy()).permute(0, 3, 1, 2)
    assert len(pixels) == 20
    enlarged = resize(pixels, 64, "bicubic")
    load_weights(page)
    rgba = np.concatenate([enlarged.permute(0, 2, 3, 1).numpy(), np.full((20, 64, 64, 1), 255, np.uint8)], axis=3)
    found, ran_in_worker = page.evaluate(
        """async ([pictures, inPage]) => {
            const runner = new window.tenPictures.Runner(window.tenPicturesWeights, inPage), out = [];
            for (const p of pictures) out.push(Array.from(await runner.features(new Uint8ClampedArray(p))));
            return [out, Boolean(runner.worker)];
        }""",
        [rgba.reshape(20, -1).tolist(), in_page],
    )
    assert ran_in_worker != in_page
    model = bitdoc.load(which_runs.SHIPPED)
    with torch.no_grad():
        expected, logits = model(to_float(enlarged)), model.head(torch.tensor(found))
    largest = expected.abs().amax(1)
    assert ((logits - expected).abs().amax(1) / largest).max() < 1e-2
    assert torch.equal(logits.argmax(1), expected.argmax(1))


@pytest.mark.parametrize("kind", ["miniature", "random", "pixels"])
@pytest.mark.parametrize("shots", [1, 2, 10])
def test_the_head_is_the_probe(page, kept, kind, shots, monkeypatch):
    found = page.evaluate(
        """async ([kind, shots]) => {
            const learner = document.querySelector('.ten-pictures').learner;
            await learner.load();
            learner.deal(shots);
            const few = [...learner.chosen].sort((a, b) => a - b), head = learner.headOn(kind, few).finish();
            const rows = learner.tests.map((_, i) => head.probabilities(few.length + i));
            const width = learner.values[kind].length / learner.rows;
            return { few, rows, width, values: Array.from(learner.values[kind]), steps: head.steps };
        }""",
        [kind, shots],
    )
    assert found["steps"] < 3000, "it stopped before the bottom"
    values = torch.tensor(found["values"], dtype=torch.float).reshape(400, found["width"])
    if kind != "pixels":
        assert torch.equal(values.float(), in_64_steps(kept, kind))
    few, values = found["few"], values.double()
    # With float32 L-BFGS stops a little early.
    monkeypatch.setattr(torch.nn, "Linear", partial(torch.nn.Linear, dtype=torch.double))
    expected = ten_pictures.probabilities(values[few], torch.from_numpy(kept.labels)[few], values[200:])
    assert (torch.tensor(found["rows"]) - expected).abs().max() < 1e-3


def test_twenty_deals_of_ten_agree_with_the_records(page):
    page.check("[name=tp-shots][value='10']")
    page.click("[data-part=many]")
    page.wait_for_selector("[data-part=many]:not([disabled])", timeout=120_000)
    deals = page.evaluate("document.querySelector('.ten-pictures').learner.deals")
    assert [d["shots"] for d in deals] == [10] * 20
    records = runs.load(which_runs.EXPERIMENT, model=which_runs.SHIPPED, method="linear-probe")
    median = statistics.median(d["miniature"] for d in deals)
    assert median == pytest.approx(which_runs.medians(records)[10], abs=2)
    assert f"median {median:g}%" in page.text_content("[data-part=said]")
    assert page.locator(".tp-dot.tp-miniature").count() == 20
    assert statistics.median(d["random"] for d in deals) < median - 10


def test_learning_says_counts_and_marks_what_changed(page):
    said = learn(page)
    right = 200 - page.locator(".tp-wrong").count()
    assert f"names {right} of 200 rightly" in said
    assert page.text_content("[data-part=miniature]").startswith(f"{right} (")
    page.click("[data-part=deal]")
    page.wait_for_selector(".tp-gained")
    said = page.text_content("[data-part=said]")
    gained, lost = page.locator(".tp-gained").count(), page.locator(".tp-lost").count()
    assert f"Since the last time {gained} became right, {lost} wrong." in said
    assert right + gained - lost == 200 - page.locator(".tp-wrong").count()
    assert "2 deals of 1:" in said


def test_a_class_without_a_picture_is_not_named(page):
    learn(page)
    page.click(".tp-few[aria-selected=true] >> nth=3")  # the cat
    page.wait_for_function("document.querySelector('[data-part=said]').textContent.includes('cannot name: cat')")
    assert page.text_content("[data-part=learn]") == "Learn from 9 pictures"
    assert page.locator("[role=row]:nth-child(4) .tp-test:not(.tp-wrong)").count() == 0


def test_the_keyboard_is_enough(page):
    page.focus("[role=gridcell][tabindex='0']")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "automobile, picture 2 to learn from"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"
    assert page.text_content("[data-part=learn]") == "Learn from 11 pictures"
    page.focus("[data-part=learn]")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.ten-pictures').learner.heads")
    page.focus("[role=gridcell][tabindex='0']")
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    assert page.locator(".tp-near").count() == 2
    assert "A test picture of automobile" in page.text_content("[data-part=seen]")


def test_neighbors_are_those_of_the_standardized_features(page, kept):
    learn(page)
    found = page.evaluate(
        """() => { const l = document.querySelector('.ten-pictures').learner, h = l.heads.miniature;
            return [l.few, h.neighbors(l.few.length + 42).map((n) => l.few[n.row])]; }"""
    )
    few, values = found[0], in_64_steps(kept, "miniature")
    spread = values[few].std(0, correction=0)
    z = ((values - values[few].mean(0)) / (spread + 1e-6)) * (spread > 0)
    likeness = torch.cosine_similarity(z[few], z[200 + 42][None])
    assert found[1] == [few[i] for i in likeness.argsort(descending=True).tolist()]


def test_a_guess_comes_before_the_curves(page):
    assert page.is_disabled("[data-part=reveal]")
    assert page.locator(".tp-curve").count() == 0
    set_slider(page, "[data-guess='5']", 62)
    box = page.locator("[data-part=chart] svg").bounding_box()
    scale = box["width"] / 400
    page.mouse.click(box["x"] + 54 * scale, box["y"] + 116.5 * scale)  # one picture, half way up
    guess = page.evaluate("document.querySelector('.ten-pictures').learner.chart.guess")
    assert guess == {"1": pytest.approx(50, abs=1), "5": 62}
    page.click("[data-part=reveal]")
    assert page.locator(".tp-curve").count() == 5
    assert "BiT-L" in page.get_attribute("[data-part=chart] svg", "aria-label")


def picture(color: tuple[int, int, int], seed: int) -> dict:
    noise = np.random.default_rng(seed).integers(0, 60, (90, 120, 3))
    image = Image.fromarray((noise + np.array(color)).clip(0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {"name": f"{seed}.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def wait_for_said(page, start: str) -> None:
    page.wait_for_function("s => document.querySelector('[data-own=said]').textContent.startsWith(s)", arg=start)


def test_own_pictures_are_named_and_go_nowhere(page):
    assert not any("weights" in url for url in page.asked)
    page.click("details summary")
    page.fill("[data-own=classes] fieldset:nth-child(1) [type=text]", "red")
    page.fill("[data-own=classes] fieldset:nth-child(2) [type=text]", "blue")
    for place, color, seeds in (("1", (190, 20, 20), (1, 2)), ("2", (20, 20, 190), (3, 4))):
        files = f"[data-own=classes] fieldset:nth-child({place}) [type=file]"
        page.set_input_files(files, [picture(color, seed) for seed in seeds])
        page.wait_for_selector(f"[data-own=classes] fieldset:nth-child({place}) canvas >> nth=1")
    page.wait_for_selector("[data-own=progress]", state="hidden")
    page.set_input_files("[data-own=unknown] [type=file]", [picture((20, 20, 190), 5), picture((190, 20, 20), 6)])
    wait_for_said(page, "Named: 1: blue, 2: red.")
    assert page.locator("[data-own=unknown] .tp-twin").count() == 2
    assert sum("weights" in url for url in page.asked) == 1
    text = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    page.set_input_files("[data-own=unknown] [type=file]", [text])
    wait_for_said(page, "notes.txt is no picture")


def test_a_missing_camera_is_said(page):
    page.click("details summary")
    page.click("[data-own=unknown] button")
    wait_for_said(page, "No camera could be opened")


def test_it_takes_the_place_of_the_still_and_gives_it_back_on_paper(page):
    assert not page.is_visible(".ten-pictures > img, .ten-pictures > p")
    page.emulate_media(media="print")
    assert not page.is_visible(".tp")
    assert page.is_visible(".ten-pictures > p")


def test_without_javascript_the_still_and_its_sentence_are_there(browser, file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator(".tp").count() == 0
    assert page.is_visible(".ten-pictures > p")
    context.close()


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 800})
    learn(page)
    page.click(".tp-test >> nth=5")
    page.click("details summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
