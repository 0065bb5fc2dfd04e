"""Normalization page: a filter as an arrow, turned by each step. The widget ``norm-circle`` computes the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style

STEPS = 600
START = 2.4  # radians from the target to the arrow before the first step
RATE, DECAY = 0.1, 0.05


@dataclass(frozen=True)
class Walk:
    """Where the arrow was, and how far each step turned it.

    Attributes
    ----------
    tips : list of (float, float)
        Tip of the arrow before the first step and after every step.
    angles : list of float
        Degrees between the arrow before and after each step.
    """

    tips: list[tuple[float, float]]
    angles: list[float]


def noise(steps: int) -> list[tuple[float, float]]:
    """Pairs of numbers between -1 and 1 from Lehmer's generator (Park & Miller 1988), the same in every language."""
    state, pairs = 20_260, []
    for _ in range(steps):
        pair = []
        for _ in range(2):
            state = state * 16807 % 2147483647
            pair.append(2 * state / 2147483647 - 1)
        pairs.append((pair[0], pair[1]))
    return pairs


@cache
def walk(rate: float, decay: float, standardized: bool, steps: int = STEPS) -> Walk:
    """Train one filter of two weights by SGD with weight decay, each step on another noisy batch.

    A batch pulls toward the target (1, 0) plus noise. The loss of a plain filter is half the squared distance to where
    it is pulled. A standardized filter is used at length 1, so only the part of the pull at a right angle to it counts,
    and reaches the raw weights divided by their length: Eq. 3.4 of the page for a filter whose mean is 0 already.
    """
    x, y = math.cos(START), math.sin(START)
    tips, angles = [(x, y)], []
    for across, up in noise(steps):
        pull_x, pull_y = 1 + across, up
        if standardized:
            length = math.hypot(x, y)
            turn = (x * pull_y - y * pull_x) / length**2
            step_x, step_y = -turn * y / length, turn * x / length
        else:
            step_x, step_y = pull_x - x, pull_y - y
        new_x = (1 - rate * decay) * x + rate * step_x
        new_y = (1 - rate * decay) * y + rate * step_y
        angles.append(math.degrees(abs(math.atan2(x * new_y - y * new_x, x * new_x + y * new_y))))
        x, y = new_x, new_y
        tips.append((x, y))
    return Walk(tips, angles)


def balance(rate: float, decay: float) -> float:
    """Degrees by which each step turns a standardized filter once growth and decay of its length balance.

    A step of length s at a right angle lengthens the filter, r, by s²/2r and turns it by s/r; decay shortens it by
    rate × decay × r. Where the two cancel, s/r is the root of 2 × rate × decay, whatever the gradient.
    """
    return math.degrees(math.sqrt(2 * rate * decay))


def smoothed(angles: list[float], window: int = 40) -> list[float]:
    """Root mean square of the last ``window`` angles at each step."""
    squares = [angle**2 for angle in angles]
    return [math.sqrt(sum(part := squares[max(0, n - window + 1) : n + 1]) / len(part)) for n in range(len(squares))]


def _path(ax: Axes, decay: float, title: str) -> None:
    tips = walk(RATE, decay, True).tips
    turns = [2 * math.pi * part / 90 for part in range(91)]
    ax.plot([math.cos(t) for t in turns], [math.sin(t) for t in turns], color=style.ink("faint"), linewidth=1)
    ax.plot(*zip(*tips, strict=True), color=style.COLOURS["orange"], linewidth=0.8)
    for tip, shade in ((tips[0], style.COLOURS["grey"]), (tips[-1], style.COLOURS["orange"])):
        ax.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "-|>", "color": shade, "lw": 1.8, "shrinkA": 0})
    ax.text(tips[0][0] - 0.05, tips[0][1] + 0.1, "start", fontsize=9, ha="right", color=style.COLOURS["grey"])
    ax.set(title=title, xlim=(-1.35, 1.75), ylim=(-1.2, 1.35), aspect="equal")
    ax.axis("off")


@figure(
    "norm-circle",
    caption=(
        "A filter as an arrow, trained on noisy batches: where it points is what it computes. The arrow's tip without "
        "and with weight decay, beside a circle of length 1; and how far each step turns it."
    ),
    measured=(
        f"{STEPS} steps of SGD at rate {RATE:g}, each on another noisy batch; decay {DECAY:g}. Right: root mean square "
        "of 40 steps; dotted: where growth and decay balance. On the screen you choose the rate and the decay, plain "
        "or standardized, and move along the steps."
    ),
    alt=lambda: (
        "Without decay the arrow grows longer and each step turns it less, "
        f"{smoothed(walk(RATE, 0, True).angles)[-1]:.1f} degrees at the end. With decay its length settles, and so "
        f"does the angle, at {smoothed(walk(RATE, DECAY, True).angles)[-1]:.1f} degrees, near the computed "
        f"{balance(RATE, DECAY):.1f}."
    ),
)
def circle() -> Figure:
    """Draw the path of a standardized filter without and with decay, and the angle of its steps."""
    fig, (left, middle, right) = style.new(7.2, 3.1, 1, 3, (7.0, 1))
    style.headline(fig, "Without decay a standardized filter grows, and each step turns it less")
    _path(left, 0, "No decay: it lengthens")
    _path(middle, DECAY, "Decay: its length settles")
    for decay, line, name in ((0, "--", "no decay"), (DECAY, "-", "decay")):
        angles = smoothed(walk(RATE, decay, True).angles)
        right.plot(range(1, STEPS + 1), angles, line, color=style.COLOURS["orange"], linewidth=1.5)
        height = angles[-1] * (1.5 if decay else 0.68)
        right.text(
            STEPS, height, name, ha="right", va="center", fontsize=9.5, color=style.words(style.COLOURS["orange"])
        )
    right.axhline(balance(RATE, DECAY), color=style.ink(), linestyle=":", linewidth=1)
    right.set(yscale="log", xlabel="step", title="Degrees a step turns it", xlim=(1, STEPS), ylim=(0.8, 30))
    right.set_yticks((1, 3, 10, 30), ("1°", "3°", "10°", "30°"))
    right.minorticks_off()
    return fig
