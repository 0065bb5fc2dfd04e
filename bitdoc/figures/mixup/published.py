"""What the mixup paper measured: one table of errors, and the corrupted labels as a figure."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitdoc.figures import figure, style, table
from bitdoc.literature import published

_METHODS = {"plain": "grey", "dropout": "sky", "mixup": "orange"}


@table(
    "mixup-claims",
    caption="Published test errors in percent (lower is better), without and with mixup {cite:p}`zhang2018mixup`; "
    "arXiv version 1, except 4.2, which is the conference version's (version 1 has 3.9). "
    "At 90 epochs the error without mixup is another paper's. Attacks (on ResNet-101, ILSVRC-2012) change each pixel "
    "by at most 4 levels of 255; in a white box the attacker sees the network, in a black box not.",
)
def claims() -> list[list[str]]:
    """Rows of setting, error without and with mixup, and the change."""
    ilsvrc, cifar = published.MIXUP_ILSVRC.values, published.MIXUP_CIFAR.values
    speech, attacked = published.MIXUP_SPEECH.values, published.MIXUP_ADVERSARIAL.values
    rows = [
        ("ILSVRC-2012, ResNet-50, 90 epochs", *ilsvrc["ResNet-50"][90]),
        ("ILSVRC-2012, ResNet-50, 200 epochs", *ilsvrc["ResNet-50"][200]),
        ("ILSVRC-2012, ResNet-101, 200 epochs", *ilsvrc["ResNet-101"][200]),
        ("CIFAR-10, pre-activation ResNet-18", *cifar["cifar10"]["pre-activation ResNet-18"]),
        ("CIFAR-100, WRN-28-10", *cifar["cifar100"]["WRN-28-10"]),
        ("Speech commands, VGG-11", speech["VGG-11"][0], speech["VGG-11"][-1]),
        ("Speech commands, LeNet", speech["LeNet"][0], speech["LeNet"][-1]),
        ("Attacked, white box, one step (FGSM)", *attacked["white"]["FGSM"]),
        ("Attacked, white box, ten steps (I-FGSM)", *attacked["white"]["I-FGSM"]),
        ("Attacked, black box, one step (FGSM)", *attacked["black"]["FGSM"]),
        ("Attacked, black box, ten steps (I-FGSM)", *attacked["black"]["I-FGSM"]),
    ]
    body = [[name, f"{off:.1f}", f"{on:.1f}", f"{on - off:+.1f}".replace("-", "−")] for name, off, on in rows]
    return [["setting", "without", "with mixup", "change"], *body]


def _alt_corrupted() -> str:
    half = published.MIXUP_CORRUPTED.values[50]
    return (
        "With half of the CIFAR-10 training labels random, the plain network goes from "
        f"{half['plain'][0]} percent test error at its best epoch to {half['plain'][1]} at the last; with mixup from "
        f"{half['mixup'][0]} to {half['mixup'][1]}. At 20 and at 80 percent the order is the same, dropout in between."
    )


@figure(
    "mixup-corrupted",
    caption="Published: test error on CIFAR-10 after training with random labels, at the best epoch (open) and at the "
    "last (filled). A long line is memorized noise. Pre-activation ResNet-18, Table 2 of {cite:t}`zhang2018mixup`, "
    "with $\\alpha$ = 8 (20%) and 32 (50% and 80%), far above BiT's 0.1.",
    alt=_alt_corrupted,
)
def corrupted() -> Figure:
    """One row for each share of random labels and method, from the best epoch to the last."""
    fig, ax = style.new(7.2, 3.7)
    ticks = []
    for block, methods in enumerate(published.MIXUP_CORRUPTED.values.values()):
        for line, (method, errors) in enumerate(methods.items()):
            _show_row(ax, 4 * block + line, method, errors)
        ticks.append(4 * block + 1)
    labels = [f"{share}% random\nlabels" for share in published.MIXUP_CORRUPTED.values]
    ax.set(yticks=ticks, yticklabels=labels, xlim=(0, 84), xlabel="test error (%)")
    ax.invert_yaxis()
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    return fig


def _show_row(ax: Axes, y: float, method: str, errors: tuple[float, float]) -> None:
    best, last = errors
    colour = style.COLOURS[_METHODS[method]]
    ax.plot((best, last), (y, y), color=colour)
    ax.plot(best, y, "o", color=colour, markerfacecolor=style.ink("paper"), markersize=7)
    ax.plot(last, y, "o", color=colour, markersize=7)
    style.label(ax, last, y, method, colour, xytext=(8, 0))
