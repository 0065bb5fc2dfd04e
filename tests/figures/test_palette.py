"""Can the figures be read: by colour-blind eyes, and the words on their ground?

Distances are in CIE L*a*b* (1976); what a colour-blind reader sees is simulated by the matrices of Machado, Oliveira
and Fernandes (2009, table 1, severity 1.0), in linear RGB. Contrast is that of the Web Content Accessibility
Guidelines 2.2: 4.5 to 1 for words, 3 to 1 for marks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from bitdoc import figures
from bitdoc.figures import style

EYES = {
    "no deficiency": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str | np.ndarray) -> np.ndarray:
    rgb = np.asarray(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str | np.ndarray, other: str | np.ndarray) -> float:
    low, high = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("eyes", EYES)
def test_colours_stay_apart(theme, eyes):
    with style.use(theme):
        seen = {name: lab(EYES[eyes] @ linear(colour)) for name, colour in style.COLOURS.items()}
    apart = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in combinations(seen, 2)}
    nearest = min(apart, key=apart.get)
    assert apart[nearest] > 15, f"{' and '.join(nearest)} are {apart[nearest]:.0f} apart"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_stand_out_and_words_can_be_read(theme):
    with style.use(theme):
        for name, colour in style.COLOURS.items():
            assert contrast(colour, style.ink("paper")) >= 3, name
            assert contrast(style.words(colour), style.ink("paper")) >= 4.5, name


def unreadable(id: str, theme: str) -> Iterator[str]:
    """Yield every text of a figure whose ground, as it is drawn without the text, is too near in lightness."""
    with style.use(theme):  # ticks are made while drawing, so the theme has to hold there too
        fig = figures.draw(id, theme)
        canvas = FigureCanvasAgg(fig)
        canvas.draw()
        texts = [text for text in fig.findobj(Text) if text.get_visible() and text.get_text().strip()]
        extents = [text.get_window_extent() for text in texts]
        for text in texts:
            text.set_alpha(0)
        canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1, :, :3] / 255
    for text, box in zip(texts, extents, strict=True):
        inside = pixels[max(0, int(box.y0)) : int(box.y1) + 1, max(0, int(box.x0)) : int(box.x1) + 1]
        if not inside.size:
            continue  # a tick's label outside the picture
        found = contrast(text.get_color(), np.median(inside.reshape(-1, 3), axis=0))
        if found < 4.5:
            yield f"{text.get_text()!r} in {text.get_color()}: {found:.1f}"


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("id", figures.registry())
def test_every_word_of_a_figure_can_be_read(id, theme):
    assert list(unreadable(id, theme)) == []


def test_a_pale_word_is_found(monkeypatch):
    monkeypatch.setattr(style, "words", lambda colour: style.ink("faint"))
    assert any("no transfer" in found for found in unreadable("few-shot-r50x3", "light"))
