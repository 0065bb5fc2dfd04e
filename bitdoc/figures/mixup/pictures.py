"""MixUp on photographs: samples over λ, the mixer widget and its still picture."""

from __future__ import annotations

import base64
from functools import cache
from html import escape
from io import BytesIO

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from bitdoc.figures import figure, style
from bitdoc.figures.mixup.beta import draws, show_density
from bitdoc.training.mixup import mix

NAMES = ("cat", "cup")
SIDE = 160


@cache
def pictures() -> Tensor:
    """The cat and the cup, two photographs in the public domain that ship with scikit-image.

    Returns
    -------
    Tensor
        ``(2, 3, 160, 160)``, values from 0 to 255 as 64-bit floats.
    """
    from PIL import Image

    try:
        from skimage.data import cat, coffee
    except ImportError as error:
        raise ImportError("the MixUp pictures ship with scikit-image; install it: pip install scikit-image") from error
    squares = ((cat(), (95, 0, 395, 300)), (coffee(), (110, 0, 510, 400)))
    small = [
        Image.fromarray(photo).crop(box).resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=None)
        for photo, box in squares
    ]
    return torch.stack([torch.from_numpy(np.array(photo)).permute(2, 0, 1) for photo in small]).double()


def mixed_picture(lam: float) -> np.ndarray:
    """``lam`` of the cat and the rest of the cup: ``(160, 160, 3)``, whole numbers from 0 to 255."""
    mixed = mix(pictures(), lam, torch.tensor([1, 0]))[0]
    return mixed.round().byte().permute(1, 2, 0).numpy()


def show_picture(ax: Axes, lam: float) -> None:
    """Draw the mixed picture without axes."""
    ax.imshow(mixed_picture(lam))
    ax.set_axis_off()


def show_label(ax: Axes, lam: float, numbers: bool = True) -> None:
    """Draw the mixed label as one bar for each class, its share beside it if there is room."""
    size = style.by_width(11, 9)
    for row, (name, share, colour) in enumerate(zip(NAMES, (lam, 1 - lam), ("blue", "orange"), strict=True)):
        ax.barh(row, 1, color=style.ink("wash"), height=0.72)
        ax.barh(row, share, color=style.COLOURS[colour], height=0.72)
        ax.text(-0.03, row, name, ha="right", va="center", fontsize=size)
        if numbers:
            ax.text(1.03, row, f"{share:.1f}", ha="left", va="center", fontsize=size)
    ax.set(xlim=(0, 1), ylim=(1.5, -0.5))
    ax.set_axis_off()


@figure(
    "mixup-samples",
    caption="Every picture is $\\lambda$ of the cat and $1 - \\lambda$ of the cup, and so is its label. With "
    "$\\alpha = 0.1$, BiT's value, most training images look like the first two or the last.",
    measured="Computed while the page is built. Photographs (CC0) by Stefan van der Walt and Rachel Michetti, shipped "
    "with scikit-image.",
    alt="Six blends of a cat and a coffee cup, from the pure cat at lambda 1 to the pure cup at lambda 0. At 0.9 the "
    "cup is a faint ghost; at 0.5 both are visible. Under each picture two bars show the label with the same shares.",
    format="png",
)
def samples() -> Figure:
    """Six values of λ in two rows, each picture above its label."""
    fig, axes = style.new(7.2, 5.5, 4, 3, (3.6, 3), height_ratios=(4, style.by_width(1, 1.5)) * 2)
    style.headline(fig, "A picture and its label are mixed with the same weight")
    for place, lam in enumerate((1.0, 0.9, 0.7, 0.5, 0.3, 0.0)):
        row, column = divmod(place, 3)
        show_picture(axes[2 * row, column], lam)
        axes[2 * row, column].set_title(f"λ = {lam:.1f}", fontsize=style.by_width(12, 9))
        show_label(axes[2 * row + 1, column], lam, numbers=style.by_width(True, False))
    return fig


@figure(
    "mixup-mixer",
    caption="The mixed picture, its label, and the Beta density with 100 weights drawn from it; the dashed line is the "
    "picture's $\\lambda$, here 0.7. On the screen you choose $\\lambda$ and $\\alpha$ and draw the weights.",
    alt="A picture that is 70 percent cat and 30 percent cup, two label bars of 0.7 and 0.3, and the density of "
    "Beta(0.1, 0.1), which is high at 0 and at 1 and low between; nearly all of the 100 drawn weights lie at the ends.",
    format="png",
)
def mixer_still() -> Figure:
    """The mixer as a still: λ = 0.7 in the picture, α = 0.1 in the density."""
    fig = Figure(figsize=style.by_width((7.2, 3.7), (style.NARROW, 6.0)), layout="constrained")
    style.headline(fig, "With BiT's α, most weights lie near 0 and 1: nearly one image")
    wide, narrow = ("PL;PD", (4, 5), (2, 5)), ("P;L;D", (1,), (6, 1, 5))
    places, widths, heights = style.by_width(wide, narrow)
    axes = fig.subplot_mosaic(places, width_ratios=widths, height_ratios=heights)
    show_picture(axes["P"], 0.7)
    show_label(axes["L"], 0.7)
    show_density(axes["D"], 0.1, draws(0.1)[:100], 0.7)
    return fig


class Widget(str):
    """HTML that a notebook shows as such; where HTML cannot be shown, one line says so."""

    def _repr_html_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return "The mixer runs in a browser; the figure below shows it still."


def mixer() -> Widget:
    """The mixer widget, with both photographs inside it as PNG data.

    ``docs/_static/mixup-mixer.js`` brings it to life and puts it into the place of the figure ``mixup-mixer``; until
    then it stays hidden.
    """
    return Widget(_WIDGET.format(**{name: _data_uri(index) for index, name in enumerate(NAMES)}, side=SIDE))


def _data_uri(index: int) -> str:
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(mixed_picture(1.0 - index)).save(buffer, format="PNG", optimize=True)
    return escape("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())


# The alpha slider counts through data-alphas; the script fills the density and everything that follows the sliders.
_WIDGET = """\
<div class="mixer" role="group" aria-label="Mixer: blend two pictures and their labels"
  data-alphas="0.05 0.1 0.2 0.4 1 2 4 8" data-seed="1" hidden>
  <img data-part="cat" src="{cat}" alt="" hidden>
  <img data-part="cup" src="{cup}" alt="" hidden>
  <div class="mixer-picture">
    <canvas data-part="picture" width="{side}" height="{side}" role="img"></canvas>
    <label>Weight λ of the cat: <output data-part="lam-text"></output>
      <input data-part="lam" type="range" min="0" max="1" step="0.01" value="0.7"></label>
    <div class="mixer-label" data-part="label">
      <div>cat <span class="mixer-track"><i data-part="cat-bar"></i></span> <b data-part="cat-text"></b></div>
      <div>cup <span class="mixer-track"><i data-part="cup-bar"></i></span> <b data-part="cup-text"></b></div>
    </div>
  </div>
  <div class="mixer-draws">
    <svg data-part="density" viewBox="0 0 300 190" role="img"></svg>
    <label>Spread α of the Beta distribution: <output data-part="alpha-text"></output>
      <input data-part="alpha" type="range" min="0" max="7" step="1" value="1"></label>
    <div class="mixer-buttons">
      <button type="button" data-part="one">Draw one λ</button>
      <button type="button" data-part="many">Draw 100</button>
    </div>
    <p data-part="count" aria-live="polite"></p>
  </div>
</div>
"""
