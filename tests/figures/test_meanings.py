"""One thing, one color: what a figure names has the color that the style gives to that name."""

from __future__ import annotations

import re

import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from bitdoc import figures
from bitdoc.figures import style

#: Short names, as labels have them.
SHORT = {"BN": "batch norm", "GN": "group norm", "WS": "weight standardization"}


def misnamed(id: str, theme: str) -> list[str]:
    """Labels of a figure that begin with a name and have neither its color nor that of ink."""
    with style.use(theme):
        fig = figures.draw(id, theme)
        names = {name: name for name in style.MEANINGS} | SHORT
        allowed = {name: {style.words(style.of(full)), style.of(full)} for name, full in names.items()}
        plain = {style.ink(), style.COLOURS["grey"], style.words(style.COLOURS["grey"])}
    wrong = []
    for text in fig.findobj(Text):
        for name, colors in allowed.items():
            found = to_hex(text.get_color()).upper()
            named = re.match(rf"{re.escape(name)}\b", text.get_text(), re.IGNORECASE)
            if named and found not in {color.upper() for color in colors | plain}:
                wrong.append(f"{text.get_text()!r} in {found}, not {style.MEANINGS[names[name]]}")
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize(
    ("id", "theme"), [*((id, "light") for id in figures.registry()), ("few-shot", "dark"), ("arch-bubbles", "dark")]
)
def test_a_name_has_its_color(id: str, theme: str) -> None:
    assert misnamed(id, theme) == []


def test_another_color_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(style.MEANINGS, "BiT-S", "sky")
    assert any("BiT-S" in found for found in misnamed("few-shot", "light"))


def test_names_that_are_compared_differ() -> None:
    for names in (
        ("BiT-S", "BiT-M", "BiT-L", "BiT-T", "random weights"),
        ("batch norm", "layer norm", "instance norm", "group norm", "weight standardization"),
    ):
        assert len({style.MEANINGS[name] for name in names}) == len(names)
    with pytest.raises(ValueError, match="no color belongs to 'BiT-X'; those that have one are BiT-S, "):
        style.of("BiT-X")
