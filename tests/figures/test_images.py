"""Figures look as they looked: each is compared with its picture in ``tests/images``.

Only figures that draw the same on every machine are here: none that shows run records or line numbers, or that trains.
After a change that is meant, ``nox -s tests -- tests/test_images.py --regenerate-images`` draws the pictures anew; look
at them, then commit.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from bitdoc import figures
from bitdoc.figures.transfer import rule

PICTURES = Path(__file__).parent / "images"
#: The pictures were drawn with this Matplotlib, whose wheels bring their own FreeType and fonts.
MATPLOTLIB = "3.11"
IDS = (
    "arch-bubbles",
    "arch-strip",
    "mixup-beta",
    "norm-axes",
    "norm-worked",
    "retinanet-anchors",
    "retinanet-pyramid",
    "rivals-size",
    "rule-path",
    "rule-staircase",
    "semi-supervised",
    "transfer-idea",
    "transfer-layers",
    "transfer-when",
)
DPI, BLOCK, TOLERANCE, COLOURS = 50, 8, 20, 256

pytestmark = pytest.mark.skipif(
    not mpl.__version__.startswith(f"{MATPLOTLIB}."), reason=f"the pictures are of Matplotlib {MATPLOTLIB}"
)


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"), dtype=float)


def drawn(id: str, theme: str) -> Image.Image:
    file = io.BytesIO()
    with figures.style.use(theme):
        figures.draw(id, theme).savefig(file, format="png", dpi=DPI)
    return Image.open(file)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Largest mean difference of a block of 8 x 8 pixels, from 0 to 255: sees a moved line, not a shade of its edge."""
    if one.shape != other.shape:
        return 255.0
    blocks = [side // BLOCK * BLOCK for side in one.shape[:2]]
    gap = np.abs(one - other)[: blocks[0], : blocks[1]].mean(axis=2)
    return gap.reshape(blocks[0] // BLOCK, BLOCK, blocks[1] // BLOCK, BLOCK).mean(axis=(1, 3)).max()


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("id", IDS)
def test_figure_looks_as_before(id: str, theme: str, request: pytest.FixtureRequest) -> None:
    path = PICTURES / f"{id}-{theme}.png"
    now = drawn(id, theme)
    if request.config.getoption("--regenerate-images"):
        now.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        pytest.skip("drawn anew")
    gap = difference(pixels(now), pixels(Image.open(path)))
    assert gap <= TOLERANCE, f"{id} differs by {gap:.0f}: see the head of this file if the change is meant"


def test_a_change_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warm-up of 60 steps more, of thousands, is enough."""
    before = pixels(Image.open(PICTURES / "rule-staircase-light.png"))
    schedule = rule.hyperrule.get_schedule

    def longer_warmup(*arguments, **options):
        warmup, *rest = schedule(*arguments, **options)
        return (warmup + 60, *rest)

    monkeypatch.setattr(rule.hyperrule, "get_schedule", longer_warmup)
    assert difference(pixels(drawn("rule-staircase", "light")), before) > TOLERANCE


def test_the_pictures_are_those_of_the_list_and_small() -> None:
    files = list(PICTURES.iterdir())
    assert {path.stem for path in files} == {f"{id}-{theme}" for id in IDS for theme in ("light", "dark")}
    assert sum(path.stat().st_size for path in files) < 400_000
