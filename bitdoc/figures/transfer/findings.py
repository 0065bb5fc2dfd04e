"""What is carried over from layer to layer: Yosinski's experiment, drawn from the authors' own logs."""

from __future__ import annotations

from matplotlib.figure import Figure

from bitdoc.figures import figure, style
from bitdoc.literature.published import YOSINSKI


def _changes() -> dict[str, list[float]]:
    """Points gained or lost against a network trained on the target alone, for 1 to 7 frozen layers."""
    by_kind = YOSINSKI.values["man-made"]
    return {
        "same": [YOSINSKI.values["same"][layer] for layer in range(1, 8)],
        "random": [YOSINSKI.values["random"][layer] for layer in range(1, 8)],
        "distant": [by_kind[layer] - by_kind[0] for layer in range(1, 8)],
    }


@figure(
    "transfer-layers",
    caption="The first layers of a trained network are frozen, the rest is trained anew: what that costs against a "
    "network trained on the target alone. Eight layers, {cite:t}`yosinski2014transferable`.",
    measured="Published: values from the authors' training logs and notebook {cite:p}`yosinski2014code`.",
    alt=lambda: (
        "Three lines over the number of frozen layers. Frozen layers from the very same task cost up to "
        f"{-min(_changes()['same']):.1f} points in the middle of the network and next to nothing at its end. From "
        f"another random half of the classes the cost grows to {-_changes()['random'][-1]:.1f} points with all seven "
        f"layers frozen, from natural to man-made classes to {-_changes()['distant'][-1]:.1f} points. The first "
        "layer costs nothing."
    ),
)
def layers() -> Figure:
    """Change of accuracy against the number of frozen layers, for three distances between the tasks."""
    fig, ax = style.new(5.8, 4.0, narrow=(3.9, 1))
    style.headline(fig, "The more layers are frozen, the more a distant task loses")
    labels = {
        "same": ("same task", "grey", -9),
        "random": ("other classes,\nsplit at random", "blue", 0),
        "distant": ("natural to\nman-made", "orange", 8),
    }
    for name, changes in _changes().items():
        text, colour, shift = labels[name]
        ax.plot(range(1, 8), changes, "o-", color=style.COLOURS[colour])
        style.label(ax, 7, changes[-1], text, style.COLOURS[colour], fontsize=style.by_width(10, 9), xytext=(6, shift))
    ax.axhline(0, color=style.ink(), linewidth=1)
    ax.set(
        xlim=(0.7, style.by_width(9.1, 11.2)),
        xticks=range(1, 8),
        xlabel="layers carried over and frozen",
        ylabel="change of top-1 accuracy, points",
    )
    ax.xaxis.set_label_coords(style.by_width(0.38, 0.5), -0.13)
    ax.grid(axis="y")
    return fig
