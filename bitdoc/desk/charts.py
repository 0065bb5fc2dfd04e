"""Drawings of a report as SVG text: they stand in one file with the rest, and follow the reader's theme."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 420, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 44


class Chart:
    """Axes with marks on them; x and y run from the first to the second number of their spans."""

    def __init__(self, xs: tuple[float, float], ys: tuple[float, float], x_label: str, y_label: str, alt: str) -> None:
        self.xs, self.ys, self.alt = xs, ys, alt
        self.parts: list[str] = []
        self._axis(x_label, y_label)

    def x(self, value: float) -> float:
        """Place of a value from the left."""
        return _LEFT + (value - self.xs[0]) / (self.xs[1] - self.xs[0]) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Place of a value from the top."""
        return _HEIGHT - _BOTTOM - (value - self.ys[0]) / (self.ys[1] - self.ys[0]) * (_HEIGHT - _TOP - _BOTTOM)

    def _axis(self, x_label: str, y_label: str) -> None:
        left, right, low = self.x(self.xs[0]), self.x(self.xs[1]), self.y(self.ys[0])
        for value in _ticks(*self.ys):
            self.parts.append(
                f'<line class="grid" x1="{left}" x2="{right}" y1="{self.y(value)}" y2="{self.y(value)}"/>'
            )
            self.parts.append(f'<text x="{left - 6}" y="{self.y(value) + 4}" text-anchor="end">{value:g}</text>')
        for value in _ticks(*self.xs):
            self.parts.append(f'<text x="{self.x(value)}" y="{low + 16}" text-anchor="middle">{value:g}</text>')
        self.parts.append(
            f'<text x="{(left + right) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
        )
        turned = f'transform="translate(13 {(_TOP + low) / 2}) rotate(-90)"'
        self.parts.append(f'<text {turned} text-anchor="middle">{escape(y_label)}</text>')

    def line(self, points: Sequence[tuple[float, float]], kind: str = "line") -> None:
        """Join points; ``kind`` is the class that the page's style knows."""
        places = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        self.parts.append(f'<polyline class="{kind}" points="{places}"/>')

    def dot(self, x: float, y: float, told: str, kind: str = "dot", radius: float = 4.0) -> None:
        """A dot that says more when it is pointed at."""
        place = f'cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="{radius:.1f}"'
        self.parts.append(f'<circle class="{kind}" {place}><title>{escape(told)}</title></circle>')

    def note(self, x: float, y: float, text: str, anchor: str = "start") -> None:
        """Words beside what they are about."""
        place = f'x="{self.x(x):.1f}" y="{self.y(y):.1f}" text-anchor="{anchor}"'
        self.parts.append(f'<text class="note" {place}>{escape(text)}</text>')

    def svg(self) -> str:
        """The drawing."""
        head = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(self.alt, quote=True)}">'
        return "\n".join([head, *self.parts, "</svg>"])


def _ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers from low to high."""
    size = 10.0 ** len(f"{int(max(high - low, 1))}") / 10
    step = next(s * size for s in (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0) if (high - low) / (s * size) <= 6)
    first = -(-low // step)
    return [round(step * n, 10) for n in range(int(first), int(high // step) + 1)]


def reliability(bins: Sequence[tuple[float, float, int]]) -> str:
    """How often answers given with a probability are right; on the diagonal the two agree."""
    total = sum(count for *_, count in bins)
    chart = Chart((0, 100), (0, 100), "probability that was given (%)", "answers that are right (%)", _said(bins))
    chart.line([(0, 0), (100, 100)], "quiet")
    chart.note(2, 93, "dashed: right as often as said")
    chart.line([(100 * sure, 100 * right) for sure, right, _ in bins])
    for sure, right, count in bins:
        told = f"{count} pictures: {100 * sure:.0f} % sure, {100 * right:.0f} % right"
        chart.dot(100 * sure, 100 * right, told, radius=3 + 9 * (count / total) ** 0.5)
    return chart.svg()


def _said(bins: Sequence[tuple[float, float, int]]) -> str:
    told = "; ".join(f"{100 * sure:.0f} % sure, {100 * right:.0f} % right ({count})" for sure, right, count in bins)
    return f"Reliability: of the tested pictures, {told}"


def learning(found: dict[int, list[float]]) -> str:
    """Accuracy against the number of training pictures: every draw a dot, a line through the medians."""
    counts = sorted(found)
    middles = {count: sorted(found[count])[len(found[count]) // 2] for count in counts}
    every = [score for scores in found.values() for score in scores]
    low = max(0, min(every) - 5) // 10 * 10
    told = ", ".join(f"{middles[count]:.0f} % with {count}" for count in counts)
    chart = Chart((0, counts[-1] * 1.05), (low, 100), "training pictures", "accuracy (%)", f"Learning curve: {told}")
    chart.line([(count, middles[count]) for count in counts])
    for count in counts:
        for score in found[count]:
            chart.dot(count, score, f"{score:.1f} % with {count} pictures")
    return chart.svg()


def training(loss: Sequence[tuple[float, float]], held_out: Sequence[tuple[float, float]], kept: int) -> str:
    """The loss over the steps, that on validation pictures where it was measured, and the step that is kept."""
    top = max(y for _, y in [*loss, *held_out])
    alt = f"Training loss from {loss[0][1]:.2f} to {loss[-1][1]:.2f}"
    if held_out:
        alt += f"; validation loss from {held_out[0][1]:.2f} to {held_out[-1][1]:.2f}, step {kept} is kept"
    end = max(loss[-1][0], kept)
    chart = Chart((0, end), (0, top * 1.05 or 1), "step", "loss", alt)
    _draw(chart, loss, "training", "line", (end, top))
    if held_out:
        _draw(chart, held_out, "validation", "second", (end, 0.91 * top))
        for step, value in held_out:
            is_kept = step == kept
            told = f"validation loss {value:.3f} at step {step:g}{', which is kept' if is_kept else ''}"
            chart.dot(step, value, told, "second-dot", radius=7.0 if is_kept else 4.0)
    return chart.svg()


def _draw(
    chart: Chart, points: Sequence[tuple[float, float]], name: str, kind: str, corner: tuple[float, float]
) -> None:
    """A line, and what it is beside a piece of its kind in the upper right corner, where losses have long fallen."""
    x, y = corner
    chart.line(points, kind)
    chart.line([(0.72 * x, y), (0.77 * x, y)], kind)
    chart.note(0.79 * x, y - 0.02 * y, name)
