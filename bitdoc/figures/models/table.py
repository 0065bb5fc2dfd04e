"""The table of all models."""

from __future__ import annotations

from bitdoc.figures import table, value
from bitdoc.literature.models import models


def _size(millions: float | None) -> str:
    if millions is None:
        return "–"
    return f"{millions:.0f}" if millions >= 100 else f"{millions:.1f}"


@table(
    "models-all",
    caption="The models behind BiT's results: what each one is, its size in millions of parameters, and its numbers "
    "there (accuracy or AP in percent, published). A dash: no source at hand gives the size.",
)
def all_models() -> list[list[str]]:
    """One row for each model."""
    rows = [["model", "what it is", "size", "trained on", "in the paper", "its number there", "source"]]
    for model in models():
        source = "{cite:t}`" + ",".join(model.cite) + "`"
        rows.append([model.name, model.what, _size(model.millions), model.data, model.where, model.number, source])
    return rows


@value("models-count")
def count() -> str:
    """How many models the table holds."""
    return str(len(models()))
