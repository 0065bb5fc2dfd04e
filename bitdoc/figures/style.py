"""One look for all figures: a palette safe for colour-blind readers, in a light and a dark version, and two widths.

A figure is drawn wide, for a screen and for paper, and narrow, for a phone: :data:`NARROW` inches across, its panels
one below another. Figure functions ask :func:`by_width` for what differs; most leave it to :func:`new`.

The data colours have the hues of Okabe & Ito's palette. Their lightness was chosen so that any two stay apart for the
common colour-vision deficiencies too, and so that words can be read in them; the dark theme has lighter ones.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

_LIGHT = {
    "blue": "#0055C8",
    "orange": "#B34700",
    "green": "#0F7A57",
    "purple": "#AE34A0",
    "sky": "#369BE6",
    "yellow": "#B98E00",
    "grey": "#555A69",
}
_DARK = {
    "blue": "#4A90FF",
    "orange": "#F9703E",
    "green": "#22D68F",
    "purple": "#C66BB0",
    "sky": "#9AD6FF",
    "yellow": "#FFDD55",
    "grey": "#B9BEC7",
}
#: What has one color in every figure, by the name that its label bears.
MEANINGS = {
    "BiT-S": "orange",
    "BiT-M": "green",
    "BiT-L": "blue",
    "BiT-T": "purple",
    "random weights": "grey",
    "batch norm": "blue",
    "layer norm": "green",
    "instance norm": "yellow",
    "group norm": "orange",
    "weight standardization": "purple",
}
#: Words about marks of a colour that is too pale for words on white.
_WORDS = {_LIGHT["sky"]: "#1A6CA8", _LIGHT["yellow"]: "#7D5F00"}
_GROUND = {
    # ink: text and axes; faint: grids and quiet marks; paper: the ground itself; wash: fills behind text.
    "light": {"ink": "#1F2933", "faint": "#D5DAE1", "paper": "#FFFFFF", "wash": "#EEF2F6"},
    "dark": {"ink": "#E5E9F0", "faint": "#3A4454", "paper": "#121416", "wash": "#222A35"},
}

#: Width of a narrow drawing in inches, about that of a phone.
NARROW = 3.5
#: Letters that fit into a line of a narrow drawing.
_LINE = 46

_theme = "light"
_narrow = False
T = TypeVar("T")


class _Palette(Mapping):
    """A palette that follows the theme in use."""

    def __getitem__(self, name: str) -> str:
        return (_DARK if _theme == "dark" else _LIGHT)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_LIGHT)

    def __len__(self) -> int:
        return len(_LIGHT)


#: Data colours by name: ``COLOURS["blue"]`` and so on, right for the theme in use.
COLOURS = _Palette()


def of(name: str) -> str:
    """Colour of a thing that has the same in every figure, such as ``"BiT-L"`` or ``"group norm"``."""
    if name not in MEANINGS:
        raise ValueError(f"no color belongs to {name!r}; those that have one are {', '.join(MEANINGS)}")
    return COLOURS[MEANINGS[name]]


def words(colour: str) -> str:
    """Colour of words about marks of ``colour``: the same, or a darker one where that is too pale to be read."""
    return _WORDS.get(colour, colour)


def ink(role: str = "ink") -> str:
    """Colour of ``"ink"``, ``"faint"``, ``"paper"`` or ``"wash"`` in the theme in use."""
    return _GROUND[_theme][role]


@contextmanager
def use(theme: str, narrow: bool = False) -> Iterator[None]:
    """Draw in the ``"light"`` or ``"dark"`` theme, and for a page or a phone, inside the block."""
    global _theme, _narrow
    if theme not in _GROUND:
        raise ValueError(f"unknown theme {theme!r}; choose light or dark")
    before = _theme, _narrow
    _theme, _narrow = theme, narrow
    try:
        with mpl.rc_context(_rc()):
            yield
    finally:
        _theme, _narrow = before


def by_width(wide: T, narrow: T) -> T:
    """Return what belongs to the width in use."""
    return narrow if _narrow else wide


def wrapped(text: str, signs: int = _LINE) -> str:
    """Break a title into lines of at most ``signs`` letters where the drawing is narrow."""
    return "\n".join(textwrap.wrap(text, signs)) if _narrow else text


def _rc() -> dict:
    ground = _GROUND[_theme]
    return {
        "figure.facecolor": ground["paper"],
        "savefig.facecolor": ground["paper"],
        "axes.facecolor": ground["paper"],
        "axes.edgecolor": ground["ink"],
        "axes.labelcolor": ground["ink"],
        "axes.titlecolor": ground["ink"],
        "text.color": ground["ink"],
        "xtick.color": ground["ink"],
        "ytick.color": ground["ink"],
        "grid.color": ground["faint"],
        "grid.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.titlesize": by_width(11, 9.5),
        "axes.titlelocation": "left",
        "axes.labelsize": by_width(10, 9),
        "xtick.labelsize": by_width(9, 8.5),
        "ytick.labelsize": by_width(9, 8.5),
        "font.size": by_width(10, 9),
        "font.family": "DejaVu Sans",
        "lines.linewidth": 2,
        "lines.markersize": 5,
        "legend.frameon": False,
        "figure.dpi": 100,
        "savefig.dpi": 160,
        "svg.hashsalt": "bitdoc",
        "axes.prop_cycle": cycler(color=[COLOURS[name] for name in COLOURS]),
    }


def new(
    width: float = 7.2,
    height: float = 3.6,
    rows: int = 1,
    columns: int = 1,
    narrow: tuple[float, int] | None = None,
    **options,
) -> tuple[Figure, Any]:
    """Make a figure and its axes, without touching pyplot's global state.

    Parameters
    ----------
    width, height : float
        Size of the wide drawing in inches.
    rows, columns : int
        Its panels.
    narrow : tuple of float and int, optional
        Height of the narrow drawing in inches, and how many panels stand in one of its rows. Without it every panel has
        a row, as high as in the wide drawing.
    **options
        For ``Figure.subplots``; ratios of widths and heights are those of the wide drawing.

    Returns
    -------
    (Figure, Axes or array of Axes)
        The axes as from ``Figure.subplots`` for the wide drawing, whatever the width in use: in a narrow one the panels
        follow one another row by row.
    """
    if not _narrow:
        fig = Figure(figsize=(width, height), layout="constrained")
        return fig, fig.subplots(rows, columns, **options)
    tall, beside = narrow or (height * columns, 1)
    fig = Figure(figsize=(NARROW, tall), layout="constrained")
    if beside != columns:
        for ratios in ("width_ratios", "height_ratios", "gridspec_kw"):
            options.pop(ratios, None)
    squeeze = options.pop("squeeze", True)
    panels = fig.subplots(rows * columns // beside, beside, squeeze=False, **options).reshape(rows, columns)
    return fig, np.squeeze(panels)[()] if squeeze else panels


def headline(fig: Figure, finding: str) -> None:
    """Say above the panels what the figure shows, in as many lines as its width asks for."""
    size = by_width(11.0, 9.5)
    signs = int(fig.get_figwidth() * 72 / (0.7 * size))
    lines = textwrap.wrap(finding, signs)
    while len(shorter := textwrap.wrap(finding, signs - 1)) == len(lines):  # lines of one length, no word alone
        lines, signs = shorter, signs - 1
    fig.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=size, weight="bold")


def plain(axis: Axis) -> None:
    """Write the ticks of a logarithmic axis as numbers, without exponents, which would be too small to read."""
    axis.set_major_formatter("{x:,g}")


def label(ax: Axes, x: float, y: float, text: str, colour: str, **options) -> None:
    """Write a direct label in a data colour beside the last point of a line, a few points to its right."""
    settings: dict[str, Any] = {
        "xytext": (6, 0),
        "textcoords": "offset points",
        "va": "center",
        "color": words(colour),
        "fontsize": 9,
    }
    ax.annotate(text, (x, y), annotation_clip=False, **(settings | options))
