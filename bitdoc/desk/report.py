"""``report.html``: one page that opens by itself and says what a run is worth, and where it is wrong."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from bitdoc.data import pictures
from bitdoc.desk import charts, scores
from bitdoc.desk.look import Survey, notices
from bitdoc.desk.scores import Outcome
from bitdoc.exchange import Passport

_SHOWN, _THUMB = 12, 160  # mistakes that are shown, and the side of their pictures
_WIDE = 40  # classes up to which all confusions are shown as a table
_PAGE = Template((Path(__file__).parent / "report.html").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Told:
    """All that a report tells.

    Attributes
    ----------
    survey, outcome, passport
        The pictures, what was said of the tested ones, and the network.
    learning : dict
        Number of training pictures to accuracies; ``learning_by`` says what learned.
    few : list of float
        Accuracies of several subsets of few pictures.
    loss : list of (step, loss)
        Of a training; empty for a probe.
    kept : dict
        The step that a training kept, why, and the looks that it was chosen by (:func:`bitdoc.desk.choosing.kept`).
    facts : dict
        Further lines of *What it was trained on*.
    """

    survey: Survey
    outcome: Outcome
    passport: Passport
    learning: dict[int, list[float]] = field(default_factory=dict)
    learning_by: str = ""
    few: list[float] = field(default_factory=list)
    loss: list[tuple[float, float]] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


def page(told: Told) -> str:
    """The page as HTML, with its pictures, drawings and style inside it."""
    name = told.survey.found.source.resolve().stem
    blocks = [*_headline(told), *_classes(told), *_mistakes(told), *_certainty(told), *_more_labels(told)]
    return _PAGE.substitute(title=escape(name), body="\n".join([*blocks, *_training(told), *_facts(told), *_use(told)]))


def headline(told: Told) -> str:
    """The result in a sentence."""
    low, high = scores.interval(told.outcome.hits)
    how = "in cross-validation" if told.survey.folds else "of the test set"
    text = (
        f"{told.outcome.accuracy:.1f} % of {len(told.outcome.labels):,} pictures {how} are named right "
        f"(95 % interval {low:.1f} to {high:.1f} %)"
    )
    if told.few:
        median, least, most = scores.median_and_spread(told.few)
        text += f"; over {len(told.few)} subsets the median is {median:.1f} %, from {least:.1f} to {most:.1f} %"
    return text


def _headline(told: Told) -> Iterator[str]:
    most = Counter(told.outcome.labels.tolist()).most_common(1)[0][1]
    guess = 100 * most / len(told.outcome.labels)
    yield f'<p class="lead">{escape(headline(told))}.</p>'
    yield f"<p>Always naming the commonest class would be right for {guess:.0f} %.</p>"
    for line in notices(told.survey):
        yield f'<p class="notice">{escape(line)}.</p>'


def _classes(told: Told) -> Iterator[str]:
    """Rows are the classes that are right, columns what was said; of many classes, the commonest confusions."""
    classes, counts = told.survey.found.classes, scores.confusion(told.outcome)
    each = scores.of_classes(told.outcome)
    yield "<h2>Which classes are taken for which</h2>"
    if len(classes) > _WIDE:
        yield from _commonest(classes, counts)
        return
    yield '<div class="scroll"><table class="confusion"><thead><tr><th scope="col">is \\ said</th>'
    yield "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in classes)
    yield '<th scope="col">right</th></tr></thead><tbody>'
    for name, row, right in zip(classes, counts.tolist(), each, strict=True):
        yield f'<tr><th scope="row">{escape(name)}</th>'
        for column, count in enumerate(row):
            kind = "hit" if classes[column] == name else "miss"
            share = count / max(1, sum(row))
            yield f'<td class="{kind}" style="--share:{share:.2f}">{count or "·"}</td>'
        yield f"<td>{'–' if right is None else f'{right:.0f} %'}</td></tr>"
    yield "</tbody></table></div>"


def _commonest(classes: tuple[str, ...], counts) -> Iterator[str]:
    off = counts.clone().fill_diagonal_(0)
    found = sorted(((int(off[i, j]), i, j) for i, j in off.nonzero().tolist()), reverse=True)[:_SHOWN]
    yield '<table><thead><tr><th scope="col">is</th><th scope="col">said</th><th scope="col">times</th></tr></thead>'
    rows = (f"<tr><td>{escape(classes[i])}</td><td>{escape(classes[j])}</td><td>{n}</td></tr>" for n, i, j in found)
    yield f"<tbody>{''.join(rows)}</tbody></table>"


def _mistakes(told: Told) -> Iterator[str]:
    wrong, outcome = scores.mistakes(told.outcome), told.outcome
    found, classes = told.survey.found, told.survey.found.classes
    yield "<h2>The most certain mistakes</h2>"
    if not wrong:
        yield "<p>There is none.</p>"
        return
    yield (
        f"<p>{len(wrong)} of {len(outcome.labels)} answers are wrong. Look for wrong labels here, for pictures that "
        f"show two things, and for what the classes have in common. <code>pictures.csv</code> names all of them.</p>"
    )
    yield '<div class="mistakes">'
    for row in wrong[:_SHOWN]:
        path = found.pictures[outcome.places[row]].path
        said, sure = classes[int(outcome.said[row])], 100 * outcome.shares[row].max().item()
        name, right = found.told(path), classes[int(outcome.labels[row])]
        yield (
            f'<figure><img src="{_thumbnail(path)}" alt="{escape(name, quote=True)}"><figcaption>said '
            f"<b>{escape(said)}</b> ({sure:.0f} %), is <b>{escape(right)}</b><br><small>{escape(name)}</small>"
            f"</figcaption></figure>"
        )
    yield "</div>"


def _thumbnail(path: Path) -> str:
    """A small copy of a picture as text that a page can hold."""
    pixels = pictures.read(path, turned=True)
    assert pixels is not None  # only a size that is asked for can be missed
    image, whole = Image.fromarray(np.ascontiguousarray(pixels)), io.BytesIO()
    image.thumbnail((_THUMB, _THUMB))
    image.save(whole, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(whole.getvalue()).decode()}"


def _certainty(told: Told) -> Iterator[str]:
    off = scores.calibration_error(told.outcome)
    yield "<h2>Can its probabilities be believed?</h2>"
    yield (
        f"<p>A dot gathers the answers of one tenth of probability; the larger, the more. Below the line answers are "
        f"given too surely. On average probability and share of right answers lie {off:.1f} points apart.</p>"
    )
    yield charts.reliability(scores.reliability(told.outcome))


def more_labels(learning: dict[int, list[float]]) -> str:
    """Whether the curve still rises, in words."""
    *_, half, whole = sorted(learning)
    before, least, most = scores.median_and_spread(learning[half])
    after = scores.median_and_spread(learning[whole])[0]
    text = f"From {half:,} to {whole:,} training pictures accuracy went from {before:.1f} to {after:.1f} %. "
    if after > 99.5:
        return text + "There is nothing left to gain on these test pictures."
    if after - before > max(1, most - least):
        return text + "The curve still rises, so more labeled pictures are likely to help."
    if after - before > 1:
        return text + (
            f"The {half:,} alone make a difference of {most - least:.1f} by which pictures they are, so the rise is no "
            f"larger than chance: test on more pictures to know."
        )
    return text + "The curve is flat: a better network or clearer labels promise more than further pictures."


def _more_labels(told: Told) -> Iterator[str]:
    if len(told.learning) > 1:
        yield "<h2>Would more labels help?</h2>"
        yield f"<p>{escape(more_labels(told.learning))} {escape(told.learning_by)}</p>"
        yield charts.learning(told.learning)


def _training(told: Told) -> Iterator[str]:
    if len(told.loss) > 1:
        yield "<h2>How it learned</h2>"
        yield f"<p>Step {told.kept['step']} is kept: {escape(told.kept['why'])}.</p>"
        looks = told.kept.get("looks", {"step": [], "loss": []})
        yield charts.training(told.loss, list(zip(looks["step"], looks["loss"], strict=True)), told.kept["step"])


def _facts(told: Told) -> Iterator[str]:
    survey, passport = told.survey, told.passport
    sides = Counter(survey.sides)
    height, width = survey.size
    rows = {
        "Pictures": ", ".join(f"{count:,} {side}" for side, count in sides.items()) + f" ({survey.how})",
        "Classes": ", ".join(survey.found.classes[:50]) + (" …" if len(survey.found.classes) > 50 else ""),
        "Size": f"median {width} x {height} pixels, squeezed to {passport.side} x {passport.side}",
        "Network": f"{passport.arch}, begun with {passport.origin or 'random weights'}",
        "License of those weights": passport.license or "not known",
        **told.facts,
    }
    yield "<h2>What it was trained on</h2><table class='facts'><tbody>"
    yield "".join(f'<tr><th scope="row">{escape(k)}</th><td>{escape(v)}</td></tr>' for k, v in rows.items())
    yield "</tbody></table>"


def _use(told: Told) -> Iterator[str]:
    yield "<h2>Use it</h2><pre>bitdoc predict FOLDER_OF_THIS_PAGE new_pictures/</pre>"
