"""The mixer of the MixUp page, in a browser: its pixels, labels and draws against ``bitdoc.training.mixup``."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bitdoc.figures.mixup.pictures import mixer, pictures
from bitdoc.training.mixup import mix

pytest.importorskip("skimage", reason="the mixer's photographs ship with scikit-image")

STATIC = Path(__file__).parents[2] / "docs" / "_static"
PAGE = """<!DOCTYPE html><html data-theme="light"><head><meta charset="utf-8"><title>Mixer</title>
<meta name="viewport" content="width=device-width"><style>{css}</style></head><body>{widget}
<figure id="fig-mixup-mixer"><picture><img alt="still" src="data:,"></picture><figcaption>Fig. 1</figcaption></figure>
<script>{script}</script></body></html>"""

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser, tmp_path):
    """The widget on a page of its own, with any request to the network recorded as a failure."""
    css, script = ((STATIC / f"mixup-mixer.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    file = tmp_path / "mixer.html"
    file.write_text(PAGE.format(css=css, script=script, widget=mixer()), encoding="utf-8")
    page = browser.new_page(viewport={"width": 800, "height": 900})
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if request.url.startswith("http") else None)
    page.goto(file.as_uri())
    page.wait_for_selector(".mixer:not([hidden])")
    yield page
    page.close()
    assert not troubles


def set_slider(page, part: str, value: float) -> None:
    page.eval_on_selector(
        f"[data-part={part}]",
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); }",
        value,
    )


def text(page, part: str) -> str:
    return page.text_content(f"[data-part={part}]")


@pytest.mark.parametrize("lam", [0.0, 0.25, 0.7, 1.0])
def test_pixels_and_labels_are_those_of_mix(page, lam):
    set_slider(page, "lam", lam)
    shown = page.eval_on_selector(
        "[data-part=picture]",
        "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)",
    )
    expected = mix(pictures(), lam, torch.tensor([1, 0]))[0].permute(1, 2, 0)
    pixels = torch.tensor(shown).reshape(160, 160, 4)
    assert (pixels[..., 3] == 255).all()
    difference = (pixels[..., :3] - expected).abs()
    assert difference.max() <= 0.5 + 1e-9  # the canvas holds whole numbers
    labels = mix(torch.eye(2), lam, torch.tensor([1, 0]))[0]
    assert [float(text(page, "cat-text")), float(text(page, "cup-text"))] == pytest.approx(labels.tolist())
    widths = [
        page.eval_on_selector(f"[data-part={p}-bar]", "bar => parseFloat(bar.style.width)") for p in ("cat", "cup")
    ]
    assert widths == pytest.approx((100 * labels).tolist(), abs=1e-4)


@pytest.mark.parametrize(("place", "alpha"), [(1, 0.1), (3, 0.4), (4, 1.0), (7, 8.0)])
def test_draws_follow_the_beta_distribution(page, place, alpha):
    stats = pytest.importorskip("scipy.stats")
    set_slider(page, "alpha", place)
    assert float(text(page, "alpha-text")) == alpha
    for _ in range(20):
        page.click("[data-part=many]")
    draws = page.eval_on_selector(".mixer", "root => root.mixer.draws")
    assert len(draws) == 2000
    assert stats.kstest(draws, stats.beta(alpha, alpha).cdf).pvalue > 0.001
    pure = sum(min(lam, 1 - lam) < 0.1 for lam in draws) / len(draws)
    said = f"2000 draws; the last is {draws[-1]:.2f}; {round(100 * pure)}% leave one picture below a tenth."
    assert text(page, "count") == said


def test_the_curve_is_the_beta_density(page):
    stats = pytest.importorskip("scipy.stats")
    set_slider(page, "alpha", 5)  # alpha = 2, whose density stays below 2, where the axis then ends
    path = page.get_attribute(".mixer-curve", "d")
    heights = [float(point.split()[1]) for point in path[1:].split("L")]
    expected = [130 - stats.beta(2, 2).pdf((i + 1) / 200) * 60 for i in range(199)]  # 120 units for a density of 2
    assert heights == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("place", range(8))
def test_curve_and_bars_end_below_the_top_of_the_axis(page, place):
    set_slider(page, "alpha", place)
    for button in ("one", "many"):
        page.click(f"[data-part={button}]")
        tops = [float(point.split()[1]) for point in page.get_attribute(".mixer-curve", "d")[1:].split("L")]
        bars = [float(bar.split("V")[1].split("H")[0]) for bar in page.get_attribute(".mixer-bars", "d")[1:].split("M")]
        assert 10 <= min(tops + bars) < 130


@pytest.mark.parametrize("button", ["one", "many"])
def test_the_last_draw_moves_the_picture_and_its_mark_and_a_new_alpha_clears_the_draws(page, button):
    page.click(f"[data-part={button}]")
    lam = page.eval_on_selector(".mixer", "root => root.mixer.draws.at(-1)")
    assert float(text(page, "lam-text")) == pytest.approx(lam, abs=0.0051)
    mark = float(page.get_attribute(".mixer-here", "d")[1:].split()[0])
    assert mark == pytest.approx(34 + 256 * lam, abs=1.4)  # the slider moves by hundredths
    set_slider(page, "alpha", 4)
    assert text(page, "count") == "0 draws."
    assert not page.get_attribute(".mixer-rug", "d")


def test_the_keyboard_is_enough(page):
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.part"))
    assert reached == ["lam", "alpha", "one", "many"]
    page.keyboard.press("Enter")
    assert text(page, "count").startswith("100 draws")
    set_slider(page, "lam", 0.7)
    page.focus("[data-part=lam]")
    page.keyboard.press("ArrowRight")
    assert text(page, "lam-text") == "0.71"
    assert page.get_attribute("[data-part=picture]", "aria-label") == "A picture mixed from 0.71 cat, 0.29 cup"
    page.focus("[data-part=alpha]")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("[data-part=alpha]", "aria-valuetext") == "0.2"


def test_it_takes_the_place_of_the_still_and_gives_it_back_on_paper(page):
    assert page.evaluate("document.querySelector('.mixer').parentElement.id") == "fig-mixup-mixer"
    assert page.is_visible(".mixer")
    assert not page.is_visible("figure > picture > img")
    assert page.is_visible("figcaption")
    page.emulate_media(media="print")
    assert not page.is_visible(".mixer")
    assert page.eval_on_selector("figure > picture > img", "i => getComputedStyle(i).display") != "none"


def test_without_javascript_only_the_still_is_there(browser, tmp_path):
    css = (STATIC / "mixup-mixer.css").read_text(encoding="utf-8")
    file = tmp_path / "mixer.html"
    file.write_text(PAGE.format(css=css, script="", widget=mixer()), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert not page.is_visible(".mixer")
    assert page.eval_on_selector("figure > picture > img", "i => getComputedStyle(i).display") != "none"
    context.close()


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    left, right = (
        page.eval_on_selector(f".mixer-{part}", "e => e.getBoundingClientRect().top") for part in ("picture", "draws")
    )
    assert right > left  # one column
    # A press of the button and the picture it moves are seen together, below the site's header.
    top = page.eval_on_selector("[data-part=picture]", "e => e.getBoundingClientRect().top")
    bottom = page.eval_on_selector("[data-part=count]", "e => e.getBoundingClientRect().bottom")
    assert bottom - top < 600
