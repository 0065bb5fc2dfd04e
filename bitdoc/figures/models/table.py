"""The table of all models: families one below the other, a column a data set."""

from __future__ import annotations

from bitdoc.figures import table, value
from bitdoc.literature.catalog import FAMILIES, models
from bitdoc.literature.rivals import DATA_SETS, Model

#: What the columns are called on the page.
HEADS = {"VTAB-1k": "VTAB-1k", "ObjectNet": "ObjectNet top-5", "COCO": "COCO AP"}
NOTHING = "–"


def _size(millions: float | None) -> str:
    if millions is None:
        return NOTHING
    return f"{millions:.0f}" if millions >= 100 else f"{millions:.1f}"


def _score(model: Model, data: str) -> str:
    """A number, and behind it the labels of each class where they were few."""
    if data not in model.scores:
        return NOTHING
    score, labels = model.scores[data], model.labels.get(data)
    return f"{score:.{1 if round(score, 1) == score else 2}f}" + (f" ({labels})" if labels else "")


def _row(model: Model) -> list[str]:
    scores = [_score(model, data) for data in DATA_SETS]
    source = "{cite:t}`" + ",".join(model.cite) + "`"
    return [model.name, model.what, _size(model.millions), *scores, model.where, source]


@table(
    "models-all",
    caption="The models behind BiT's results, by family: parameters in millions, and the paper's numbers in percent. "
    "In parentheses: labels of each class, where they were few. A dash: no number there, or no source for the size.",
)
def all_models() -> list[list[str]]:
    """One row for each model, and before each family a row that names it: bold, and empty but for what all share."""
    heads = [HEADS.get(data, data) for data in DATA_SETS]
    rows = [["model", "what it is, what it learned from", "size", *heads, "in the BiT paper", "source"]]
    for family, shared in FAMILIES.items():
        members = [model for model in models() if model.family == family]
        rows.append([f"**{family}** ({len(members)})", shared, *[""] * (len(rows[0]) - 2)])
        rows += [_row(model) for model in members]
    return rows


@value("models-count")
def count() -> str:
    """How many models the table holds."""
    return str(len(models()))
