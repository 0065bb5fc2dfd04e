"""One look for all figures: a palette safe for colour-blind readers, in a light and a dark version.

The data colours have the hues of Okabe & Ito's palette. Their lightness was chosen so that any two stay apart for the
common colour-vision deficiencies too, and so that words can be read in them; the dark theme has lighter ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
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

_theme = "light"


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
def use(theme: str) -> Iterator[None]:
    """Draw in the ``"light"`` or ``"dark"`` theme inside the block."""
    global _theme
    if theme not in _GROUND:
        raise ValueError(f"unknown theme {theme!r}; choose light or dark")
    before, _theme = _theme, theme
    try:
        with mpl.rc_context(_rc()):
            yield
    finally:
        _theme = before


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
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.labelsize": 10,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "font.size": 10,
        "font.family": "DejaVu Sans",
        "lines.linewidth": 2,
        "lines.markersize": 5,
        "legend.frameon": False,
        "figure.dpi": 100,
        "savefig.dpi": 160,
        "svg.hashsalt": "bitdoc",
        "axes.prop_cycle": cycler(color=[COLOURS[name] for name in COLOURS]),
    }


def new(width: float = 7.2, height: float = 3.6, rows: int = 1, columns: int = 1, **options) -> tuple[Figure, Any]:
    """Make a figure of ``width`` x ``height`` inches and its axes, without touching pyplot's global state.

    Returns ``(figure, axes)``; axes is one ``Axes``, or an array of them as from ``Figure.subplots``.
    """
    fig = Figure(figsize=(width, height), layout="constrained")
    return fig, fig.subplots(rows, columns, **options)


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
