"""What the official repository publishes of few-shot runs."""

from __future__ import annotations

from matplotlib.figure import Figure

from bitdoc.figures import figure
from bitdoc.figures.style import COLOURS, by_width, headline, ink, label, new
from bitdoc.literature import published


@figure(
    "few-shot-official",
    caption=(
        "Few-shot CIFAR-10 accuracy of BiT-M in the official repository, by framework: lowest, median and highest run "
        "{cite:p}`google2021bitcode`. The repository gives no numbers for R50x3."
    ),
    measured="Published: at least five runs in each framework, batch 128, learning rate 0.001.",
    alt=(
        "Ranges of accuracy in three frameworks for R50x1, R101x3 and R152x2: at 1 example per class medians lie "
        "between 54 and 58% with ranges of 8 to 21 points; at 5 examples between 82 and 87% with ranges of 3 to 9."
    ),
)
def official() -> Figure:
    """The official repository's few-shot table, drawn."""
    fig, ax = new(7.2, 3.3, narrow=(3.8, 1))
    headline(fig, "With one example a class, the draw of it decides more than framework or network")
    colours = {"tf2": "orange", "jax": "green", "pytorch": "blue"}
    nets = list(published.OFFICIAL_FEW_SHOT.values)
    for row, net in enumerate(reversed(nets)):
        table = published.OFFICIAL_FEW_SHOT.values[net]["cifar10"]
        for shots in (1, 5):
            for i, (framework, (low, middle, high)) in enumerate(table[shots].items()):
                y = row + 0.22 * (1 - i)
                ax.plot([low, high], [y, y], color=COLOURS[colours[framework]], lw=2)
                ax.plot(middle, y, "o", color=COLOURS[colours[framework]])
                if row == len(nets) - 1 and shots == 5:
                    label(
                        ax,
                        high,
                        y,
                        {"tf2": "TF2", "jax": "JAX", "pytorch": "PyTorch"}[framework],
                        COLOURS[colours[framework]],
                    )
    for shots, x in ((1, 56), (5, 85.5)):
        ax.text(
            x,
            len(nets) - 0.45,
            f"{shots} example{'s' if shots > 1 else ''}{by_width(' per class', '')}",
            ha="center",
            color=ink(),
        )
    ax.set_yticks(range(len(nets)), [by_width(f"BiT-M-{net}", net) for net in reversed(nets)])
    ax.set_ylim(-0.5, len(nets) - 0.2)
    ax.set_xlim(43, by_width(95, 103))
    ax.set_xlabel("CIFAR-10 top-1 accuracy, % (published)")
    ax.grid(axis="x")
    return fig
