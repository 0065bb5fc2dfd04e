"""The register of all figures, tables and quotable numbers, by id."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bitdoc.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The modules that hold figures, one for each page of the book.
PAGES = ("transfer", "architecture", "normalization", "mixup", "models", "fewshot", "performance")

Text = str | Callable[[], str]


@dataclass(frozen=True)
class Entry:
    """One figure of the book.

    Attributes
    ----------
    id : str
        Name in pages and labels, such as ``"norm-axes"``.
    function : callable
        Takes no argument and returns a Matplotlib ``Figure``; colours come from :func:`bitdoc.figures.style.ink`
        and :data:`bitdoc.figures.style.COLOURS`, so the same function draws the light and the dark version, and
        sizes from :func:`bitdoc.figures.style.new` and :func:`bitdoc.figures.style.by_width`, so it draws the narrow
        one too.
    caption, alt : str or callable
        Caption that can be read alone (MyST inline markup allowed), and a plain text that tells the finding. A
        callable computes its text from the run records, so that no measured number is typed.
    format : {"svg", "png"}
        ``"png"`` for figures that hold photographs or thousands of marks.
    measured : str or callable, optional
        How the numbers were measured: runs, device, dates. The page folds it below the caption, which says what to see.
    """

    id: str
    function: Callable[[], Figure]
    caption_source: Text
    alt_source: Text
    format: str = "svg"
    measured_source: Text = ""

    @property
    def measured(self) -> str:
        """How the numbers were measured, computed now if it depends on run records; empty where nothing was."""
        return self.measured_source if isinstance(self.measured_source, str) else self.measured_source()

    @property
    def caption(self) -> str:
        """The caption, computed now if it depends on run records."""
        return self.caption_source if isinstance(self.caption_source, str) else self.caption_source()

    @property
    def alt(self) -> str:
        """The alt text, computed now if it depends on run records."""
        return self.alt_source if isinstance(self.alt_source, str) else self.alt_source()


@dataclass(frozen=True)
class Table:
    """A table computed at build time: rows of MyST inline text, the first row its header."""

    id: str
    function: Callable[[], list[list[str]]]
    caption: str


_REGISTRY: dict[str, Entry] = {}
_TABLES: dict[str, Table] = {}
_VALUES: dict[str, Callable[[], str]] = {}


def figure(id: str, *, caption: Text, alt: Text, format: str = "svg", measured: Text = "") -> Callable:
    """Register the decorated function as the figure ``id``. See :class:`Entry` for the arguments."""

    def register(function: Callable[[], Figure]) -> Callable[[], Figure]:
        if id in _REGISTRY and _REGISTRY[id].function.__qualname__ != function.__qualname__:
            raise ValueError(
                f"two figures are called {id!r}: {_REGISTRY[id].function.__qualname__} has the name already"
            )
        _REGISTRY[id] = Entry(id, function, caption, alt, format, measured)
        return function

    return register


def table(id: str, *, caption: str) -> Callable:
    """Register the decorated function, which returns rows of text (header first), as the table ``id``."""

    def register(function: Callable[[], list[list[str]]]) -> Callable[[], list[list[str]]]:
        _TABLES[id] = Table(id, function, caption)
        return function

    return register


def value(id: str) -> Callable:
    """Register the decorated function, which returns a short text, as a number that prose can quote by ``id``."""

    def register(function: Callable[[], str]) -> Callable[[], str]:
        _VALUES[id] = function
        return function

    return register


def registry() -> dict[str, Entry]:
    """All figures of all pages by id."""
    _load_pages()
    return dict(_REGISTRY)


def tables() -> dict[str, Table]:
    """All computed tables by id."""
    _load_pages()
    return dict(_TABLES)


def values() -> dict[str, Callable[[], str]]:
    """All quotable numbers by id; calling one computes its text."""
    _load_pages()
    return dict(_VALUES)


def _load_pages() -> None:
    for page in PAGES:
        importlib.import_module(f"bitdoc.figures.{page}")


def draw(id: str, theme: str = "light", narrow: bool = False) -> Figure:
    """Draw the figure ``id`` for the ``"light"`` or the ``"dark"`` theme, for a page or, narrow, for a phone.

    Raises
    ------
    KeyError
        If no figure has that id; the message lists the ids.
    """
    entries = registry()
    if id not in entries:
        raise KeyError(f"no figure is called {id!r}; choose one of {', '.join(sorted(entries))}")
    with style.use(theme, narrow):
        drawn = entries[id].function()
    # The label tells the gallery which figure this is, hence its alt text and its dark version.
    drawn.set_label(id)
    return drawn


def save(**drawn: Figure) -> None:
    """Save figures as ``<name>.png`` in the current folder and say so: ``save(norm_axes=draw("norm-axes"))``."""
    for name, fig in drawn.items():
        fig.savefig(f"{name}.png")
        print(f"saved {name}.png")
