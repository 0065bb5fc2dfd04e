"""One look for all figures: a palette safe for colour-blind readers, in a light and a dark version.

The data colours are Okabe & Ito's, which survive the common colour-vision deficiencies; three of them are lightened in
the dark theme, where they would sink into the ground.
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
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#008060",
    "purple": "#AA4A8B",
    "sky": "#3C9BD6",
    "yellow": "#B58900",
    "grey": "#6B7280",
}
_DARK = {
    "blue": "#5AB4F0",
    "orange": "#FF8C42",
    "green": "#2EC4A0",
    "purple": "#E08BC3",
    "sky": "#8FD0FF",
    "yellow": "#F0D24B",
    "grey": "#9CA3AF",
}
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
        "color": colour,
        "fontsize": 9,
    }
    ax.annotate(text, (x, y), annotation_clip=False, **(settings | options))
