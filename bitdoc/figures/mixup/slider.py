"""The slider of the half-moons: precomputed maps of the first seed, one for each α, in HTML for one short script."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import cast

import contourpy
import numpy as np
from PIL import Image

from bitdoc.figures import style
from bitdoc.figures.mixup import moons
from bitdoc.figures.mixup.pictures import Widget
from bitdoc.studies.mixup import half_moons as study

#: Units of the drawing: hundredths of the plane's, with y pointing down.
_LEFT, _RIGHT = round(100 * study.ACROSS[0].item()), round(100 * study.ACROSS[-1].item())
_TOP, _BOTTOM = round(-100 * study.UP[-1].item()), round(-100 * study.UP[0].item())
#: The plot beside it: its box, and the shares in percent at its lower and upper edge.
_PLOT, _SHARES = (34.0, 12.0, 250.0, 128.0), (75, 100)


def moons_slider() -> Widget:
    """Boundaries over α.

    ``docs/_static/mixup-moons.js`` brings it to life and puts it into the place of the figure ``mixup-moons``; until
    then it stays hidden.
    """
    alphas = [alpha for alpha in study.SLIDER if moons.records(alpha)]
    if alphas != list(study.SLIDER):
        return Widget("")
    return Widget(
        _WIDGET.format(
            view=f"{_LEFT} {_TOP} {_RIGHT - _LEFT} {_BOTTOM - _TOP}",
            layers="".join(_layer(alpha) for alpha in alphas),
            points=_points(moons.pictured(0.0)),
            alphas=" ".join(f"{alpha:g}" for alpha in alphas),
            tests=" ".join(f"{moons.average(alpha):.1f}" for alpha in alphas),
            trains=" ".join(f"{moons.average(alpha, 'train'):.1f}" for alpha in alphas),
            last=len(alphas) - 1,
            plot=_plot(alphas),
            width=round(_PLOT[2] + 60),
        )
    )


def _layer(alpha: float) -> str:
    """The map of one α: a picture whose opacity is how sure the network is, and the boundary as a path."""
    p = moons.grid(moons.pictured(alpha))
    generator = contourpy.contour_generator(study.ACROSS.numpy(), study.UP.numpy(), p)
    lines = cast(list[np.ndarray], generator.lines(0.5))
    path = "".join("M" + "L".join(f"{100 * x:.0f} {-100 * y:.0f}" for x, y in line) for line in lines)
    box = f'x="{_LEFT}" y="{_TOP}" width="{_RIGHT - _LEFT}" height="{_BOTTOM - _TOP}"'
    return (
        f'<g data-layer="{alpha:g}" hidden><image {box} preserveAspectRatio="none" href="{_picture(p)}"/>'
        f'<path class="moons-boundary" d="{path}"/></g>'
    )


def _picture(p: np.ndarray) -> str:
    """``p`` as a PNG of blue and orange; transparent where the network is undecided, so that it suits both themes."""
    pixels = np.zeros((*p.shape, 4), dtype=np.uint8)
    for side, name in enumerate(moons.SIDES):
        chosen = (p > 0.5) == bool(side)
        pixels[chosen, :3] = [int(style.COLOURS[name][i : i + 2], 16) for i in (1, 3, 5)]
    pixels[..., 3] = np.round(255 * 0.6 * np.abs(2 * p - 1))
    buffer = BytesIO()
    Image.fromarray(pixels[::-1]).save(buffer, format="PNG", optimize=True)  # a picture's first row is its top
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _points(kept: dict) -> str:
    places = zip(*(kept[key] for key in ("across", "up", "true", "given")), strict=True)
    return "".join(
        f'<circle cx="{x}" cy="{-y}" r="{5 if given != true else 3}" '
        f'class="moons-{moons.SIDES[given]}{" moons-wrong" if given != true else ""}"/>'
        for x, y, true, given in places
    )


def _plot(alphas: list[float]) -> str:
    """Both shares over the slider's places; the script moves the marker."""
    left, top, right, bottom = _PLOT
    low, high = _SHARES

    def across(place: int) -> float:
        return left + (right - left) * place / (len(alphas) - 1)

    def down(share: float) -> float:
        return bottom - (bottom - top) * (share - low) / (high - low)

    parts = [
        f'<path class="moons-grid" d="M{left} {down(share):.1f}H{right}"/>'
        f'<text x="{left - 5}" y="{down(share) + 4:.1f}" text-anchor="end">{share}%</text>'
        for share in range(low, high + 1, 5)
    ]
    parts += [
        f'<text x="{across(i):.1f}" y="{bottom + 16}" text-anchor="middle">{a:g}</text>' for i, a in enumerate(alphas)
    ]
    for key, name, text in (("top1", "test", "fresh points"), ("train", "train", "labels as given")):
        shares = [moons.average(alpha, key) for alpha in alphas]
        line = "L".join(f"{across(i):.1f} {down(share):.1f}" for i, share in enumerate(shares))
        parts.append(f'<path class="moons-{name}" d="M{line}"/>')
        x, y = across(len(alphas) - 1), down(shares[-1])
        parts.append(f'<text class="moons-{name}-text" x="{x + 5}" y="{y + 4:.1f}">{text.split()[0]}</text>')
    marker = f'<path class="moons-marker" data-part="marker" d="M0 {top}V{bottom}"/>'
    places = " ".join(f"{across(i):.1f}" for i in range(len(alphas)))
    return f'<g data-part="plot" data-places="{places}">{"".join(parts)}{marker}</g>'


# The slider counts through data-alphas; the script shows the layer and fills what follows the slider.
_WIDGET = """\
<div class="moons" role="group" aria-label="Half-moons: the boundary over alpha"
  data-alphas="{alphas}" data-tests="{tests}" data-trains="{trains}" hidden>
  <svg class="moons-map" data-part="map" viewBox="{view}" role="img">{layers}{points}</svg>
  <div class="moons-side">
    <label>Strength α of MixUp: <output data-part="alpha-text"></output>
      <input data-part="alpha" type="range" min="0" max="{last}" step="1" value="0"></label>
    <p data-part="said" aria-live="polite"></p>
    <svg viewBox="0 0 {width} 150" role="img" aria-label="Both shares over alpha">{plot}</svg>
  </div>
</div>
"""
