"""Every figure of the book: a function, and beside it the caption and the alt text; one folder a page.

A figure is registered with :func:`figure` under an id; pages, gallery scripts and tests all draw it with :func:`draw`.
Uses all rooms below. Figures draw what was run; they never train anything that takes more than a few seconds.
"""

from bitdoc.figures.register import PAGES, Entry, Table, draw, figure, registry, save, table, tables, value, values

__all__ = [
    "PAGES",
    "Entry",
    "Table",
    "draw",
    "figure",
    "registry",
    "save",
    "table",
    "tables",
    "value",
    "values",
]
