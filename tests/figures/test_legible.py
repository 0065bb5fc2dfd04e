"""Every figure can be read as the pages show it, wide and narrow: words large enough, whole, and clear of each other;
titles begin with a capital letter, labels of axes do not.

A page shows a figure at the size it was drawn, or as wide as its column if that is less. Sizes are in CSS pixels, of
which an inch has 96.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from itertools import combinations

import pytest
from built_site import docs_module
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from bitdoc import figures
from bitdoc.figures import style

INCH = 96
#: By width: the column of a page in pixels (360 without its margins; 1440 beside both sidebars), the smallest words.
SHOWN = {"narrow": (328, 10.0), "wide": (790, 11.0)}
#: Matplotlib writes an exponent or an index at this share of the size of its line.
RAISED = 0.7
#: Pixels by which boxes of words may reach into each other: a box has some air around its letters.
AIR = 1.5
#: Names that begin a title as they are written.
AS_WRITTEN = docs_module("_ext/typography").AS_WRITTEN


def drawn(id: str, width: str) -> tuple[Figure, list[tuple[Text, Bbox]]]:
    """A figure, drawn at a dot a pixel, and whatever can be read in it, and where it stands."""
    written: dict[int, Text] = {}

    def write(text: Text, renderer) -> None:
        if text.get_visible() and text.get_text().strip():
            written[builtins.id(text)] = text
        draw(text, renderer)

    draw = Text.draw
    with pytest.MonkeyPatch.context() as patch, style.use("light", width == "narrow"):
        fig = figures.draw(id, narrow=width == "narrow")
        fig.set_dpi(INCH)
        patch.setattr(Text, "draw", write)
        FigureCanvasAgg(fig).draw()
    return fig, [(text, Text.get_window_extent(text)) for text in written.values()]


def pixels(text: Text, fig: Figure, column: float) -> float:
    """Size of the smallest letters of a text as the page shows it."""
    shown = min(1.0, column / (fig.get_figwidth() * INCH))
    raised = RAISED if "$" in text.get_text() and any(sign in text.get_text() for sign in "^_") else 1.0
    return text.get_fontsize() / 72 * INCH * shown * raised


def faults(id: str, width: str) -> Iterator[str]:
    """Yield what cannot be read in a figure of that width."""
    fig, found = drawn(id, width)
    column, least = SHOWN[width]
    if width == "narrow" and fig.get_figwidth() != style.NARROW:
        yield f"it is {fig.get_figwidth()} inches wide"
    for text, box in found:
        if pixels(text, fig, column) < least - 0.05:
            yield f"{text.get_text()!r} is {pixels(text, fig, column):.1f} pixels high"
        if box.x0 < -AIR or box.y0 < -AIR or box.x1 > fig.bbox.x1 + AIR or box.y1 > fig.bbox.y1 + AIR:
            yield f"{text.get_text()!r} is cut at the edge"
    # The box of a slanted word is wider than the word.
    upright = [(text, box) for text, box in found if text.get_rotation() % 90 == 0]
    for (one, first), (other, second) in combinations(upright, 2):
        shared = Bbox.intersection(first, second)
        if shared is not None and min(shared.width, shared.height) > AIR:
            yield f"{one.get_text()!r} stands on {other.get_text()!r}"
    for text, box in found:
        if text.get_bbox_patch() is None and (line := crossing(fig, box)):
            yield f"{text.get_text()!r} stands on {line}"
    yield from misbegun(fig)


def misbegun(fig: Figure) -> Iterator[str]:
    """Yield titles that begin with a small letter, and labels of axes that begin with a capital one, names aside."""
    titles = [fig.get_suptitle(), *(ax.get_title(loc=loc) for ax in fig.axes for loc in ("left", "center", "right"))]
    for title in titles:
        word = re.match(r"[a-z]\w*", title)
        if word and word[0] not in AS_WRITTEN:
            yield f"the title {title!r} begins with a small letter"
    for label in (label for ax in fig.axes for label in (ax.get_xlabel(), ax.get_ylabel())):
        if re.match(r"[A-Z][a-z]+(?![\w-])", label):
            yield f"the label {label!r} of an axis begins with a capital letter"


def crossing(fig: Figure, box: Bbox) -> str:
    """Name a line that runs through a box of words."""
    inner = Bbox.from_extents(box.x0 + AIR, box.y0 + 2 * AIR, box.x1 - AIR, box.y1 - 2 * AIR)
    for ax in fig.axes:
        for line in ax.lines:
            within = Bbox.intersection(ax.bbox, inner)
            if not line.get_visible() or line.get_linestyle() in ("None", " ", "") or within is None:
                continue
            path = line.get_transform().transform_path(line.get_path())
            if len(path.vertices) < 2 or not path.intersects_bbox(within, filled=False):
                continue
            if not any(_hides(patch, line, box) for patch in ax.patches):
                return f"the line {line.get_label()!r} of {ax.get_title(loc='left')!r}"
    return ""


def _hides(patch: Patch, line: Line2D, box: Bbox) -> bool:
    """Whether a filled shape lies between a line and words that stand in it."""
    extent = patch.get_window_extent()
    inside = extent.contains(box.x0, box.y0) and extent.contains(box.x1, box.y1)
    return inside and patch.get_fill() and patch.get_zorder() > line.get_zorder()


@pytest.mark.parametrize("width", ["narrow", pytest.param("wide", marks=pytest.mark.slow)])
@pytest.mark.parametrize("id", figures.registry())
def test_a_figure_can_be_read(id: str, width: str) -> None:
    assert list(faults(id, width)) == []


def test_faults_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def bad() -> Figure:
        fig, ax = style.new(7.2, 3.0)
        ax.plot([0, 1], [0, 1])
        for x, y, text, size in ((0.5, 0.5, "on the line", 10), (0.2, 0.8, "one", 10), (0.22, 0.8, "two", 10)):
            ax.text(x, y, text, fontsize=size, ha="center", va="center")
        ax.text(0.1, 0.6, "small", fontsize=6)
        fig.text(0.95, 0.2, "beyond the edge of the figure", fontsize=10)
        ax.text(0.7, 0.4, "$10^{-3}$", fontsize=9)
        ax.set(title="small title", xlabel="Step")
        return fig

    entry = figures.Entry("bad", bad, "", "")
    monkeypatch.setattr(figures.register, "registry", lambda: {"bad": entry})
    found = "; ".join(faults("bad", "wide"))
    for expected in (
        "'on the line' stands on the line",
        "'one' stands on 'two'",
        "'small' is 8.0 pixels",
        "'beyond the edge of the figure' is cut",
        "'$10^{-3}$' is 8.4 pixels",
        "the title 'small title' begins",
        "the label 'Step' of an axis begins",
    ):
        assert expected in found
