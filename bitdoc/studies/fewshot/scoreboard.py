"""The behaviors of the paper's Fig. 6 held against our runs: what the paper shows, what we measured, does it agree?

Runs are compared in pairs: the same random subset of CIFAR-10, once under each of two conditions. An interval is the
95% interval of the mean of those differences by Student's t.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bitdoc.literature import published
from bitdoc.records import runs
from bitdoc.studies.fewshot import which_runs

#: The network of the paper's middle, and one a third as wide that was trained in the same way.
NETWORK, ALIKE = "BiT-T-R50x3", "BiT-T-R50x1"
#: A small network, one half as wide that was trained in the same way, and the suffix for a tenth of the images.
SMALL, SMALLER, TENTH = which_runs.SHIPPED, "BiT-T-R26x0.25", "-10pct"
SCRATCH = NETWORK.removeprefix("BiT-T-")
_Z = statistics.NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% interval, and the number of subsets behind it."""

    mean: float
    low: float
    high: float
    subsets: int

    def __str__(self) -> str:
        return f"{self.mean:+.1f} ({self.low:.1f} to {self.high:.1f})".replace("-", "−")


@dataclass(frozen=True)
class Behavior:
    """One behavior of Fig. 6.

    Attributes
    ----------
    asked : str
        What the paper shows, as a sentence.
    published, measured : str
        The paper's value and ours, with its interval.
    agrees : {"yes", "no", "open"}
        ``"open"`` if the interval allows either answer, or nothing was measured.
    """

    asked: str
    published: str
    measured: str
    agrees: str


def student(degrees: int) -> float:
    """97.5% point of Student's t, by the expansion of Abramowitz & Stegun (26.7.5), good to 0.002 from 4 degrees on."""
    z, n = _Z, degrees
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / n**power for power, term in enumerate(terms, 1))


def estimate(differences: Iterable[float]) -> Estimate | None:
    """Mean of paired differences with its 95% interval; None for fewer than five pairs."""
    values = list(differences)
    if len(values) < 5:
        return None
    half = student(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    return Estimate(mean, mean - half, mean + half, len(values))


def ratio_of_spreads(first: list[float], second: list[float]) -> Estimate | None:
    """Standard deviation of ``first`` over that of ``second``; the interval is that of normal samples (logs)."""
    if min(len(first), len(second)) < 5:
        return None
    ratio = statistics.stdev(first) / statistics.stdev(second)
    half = _Z * math.sqrt(1 / (2 * (len(first) - 1)) + 1 / (2 * (len(second) - 1)))
    return Estimate(ratio, ratio * math.exp(-half), ratio * math.exp(half), min(len(first), len(second)))


def by_subset(model: str, shots: int) -> dict[int, float]:
    """Accuracy in percent of each fine-tuning of ``model``, by the seed of its subset."""
    records = runs.load(which_runs.EXPERIMENT, model=model, method="fine-tune", examples_per_class=shots)
    runs.require_same(records, *which_runs.COMPARABLE)
    return {r.setting["subset_seed"]: r.result["top1"] for r in records}


def gain(better: Mapping[int, float], than: Mapping[int, float]) -> Estimate | None:
    """What one condition brings over another, subset by subset."""
    return estimate(better[seed] - than[seed] for seed in sorted(better.keys() & than.keys()))


def verdict(found: Iterable[Estimate | None], above: float) -> str:
    """Whether all of ``found`` lie above a value, at least one lies below it, or it is open."""
    estimates = list(found)
    if any(e is not None and e.high < above for e in estimates):
        return "no"
    return "yes" if all(e is not None and e.low > above for e in estimates) else "open"


def _text(parts: Mapping[str, Estimate | None]) -> str:
    return "; ".join(f"{name}: {e}" if name else str(e) for name, e in parts.items() if e) or "not measured"


def _behavior(asked: str, printed: str, parts: Mapping[str, Estimate | None], above: float = 0) -> Behavior:
    return Behavior(asked, printed, _text(parts), verdict(parts.values(), above))


def _medians(shots: int, arch: str = "R50x3") -> dict[str, float]:
    return published.FIG6_MEDIANS.values["cifar10"][shots][arch]


def more_examples() -> Behavior:
    """1 → 2 → 5 → 10 examples: every step helps. Smaller subsets lie in larger ones, so the pairs are nested."""
    here = {k: by_subset(NETWORK, k) for k in which_runs.SHOTS}
    steps = {f"{a} → {b}": gain(here[b], here[a]) for a, b in zip(which_runs.SHOTS, which_runs.SHOTS[1:], strict=False)}
    rises = sorted(_medians(5)[u] - _medians(1)[u] for u in "SML")
    return _behavior("Every further example helps", f"1 → 5: +{rises[0]:.0f} to +{rises[-1]:.0f}", steps)


def the_rise() -> Behavior:
    """From one to five examples: as far as in the paper?"""
    rises = sorted(_medians(5)[u] - _medians(1)[u] for u in "SML")
    found = {"": gain(by_subset(NETWORK, 5), by_subset(NETWORK, 1))}
    return _behavior(
        f"From one to five examples accuracy rises by {rises[0]:.1f} points or more",
        f"+{rises[0]:.1f} to +{rises[-1]:.1f}",
        found,
        above=rises[0],
    )


def luck() -> Behavior:
    """Runs scatter more at one example than at five."""
    ratios = []
    for upstream in "SML":
        one, five = (published.FIG6_R50X3_RUNS.values[k][upstream] for k in (1, 5))
        ratios.append(statistics.stdev(one) / statistics.stdev(five))
    found = {
        f"{name}, {len(by_subset(model, 1))} subsets": ratio_of_spreads(
            *(list(by_subset(model, k).values()) for k in (1, 5))
        )
        for name, model in (("R50x3", NETWORK), ("R26x0.5", SMALL))
    }
    texts = [f"{name}: {e.mean:.1f} times ({e.low:.1f} to {e.high:.1f})" for name, e in found.items() if e]
    return Behavior(
        "Luck weighs most at one example: runs scatter more than at five",
        f"{min(ratios):.1f} to {max(ratios):.1f} times the standard deviation",
        "; ".join(texts) or "not measured",
        verdict(found.values(), above=1),
    )


def more_upstream() -> Behavior:
    """Ten times as many upstream images help at each number of examples."""
    found = {f"at {k}": gain(by_subset(NETWORK, k), by_subset(NETWORK + TENTH, k)) for k in which_runs.SHOTS}
    steps = [_medians(k)["M"] - _medians(k)["S"] for k in (1, 5)]
    return _behavior(
        "More upstream images help at each number of examples",
        f"S → M: {steps[0]:+.1f} at 1, {steps[1]:+.1f} at 5",
        found,
    )


def _gains(model: str, than: str) -> dict[int, float]:
    """Points that one network is ahead of another at five examples, by the seed of the subset."""
    ours, theirs = by_subset(model, 5), by_subset(than, 5)
    return {seed: ours[seed] - theirs[seed] for seed in ours.keys() & theirs.keys()}


def size_needs_data() -> list[Behavior]:
    """A larger network pays more where upstream data is larger: the gain with all images less that with a tenth.

    Once for two networks that were trained alike upstream, once for R50x3, whose recipe was another than R26x0.5's.
    """
    rows = []
    for larger, model, than, arch in (
        ("R26x0.5 over R26x0.25", SMALL, SMALLER, "R152x4"),
        ("R50x3 over R26x0.5, pre-trained otherwise", NETWORK, SMALL, "R50x3"),
    ):
        paper = [_medians(5, arch)[u] - _medians(5, "R50x1")[u] for u in "SL"]
        many, few = (_gains(model + suffix, than + suffix) for suffix in ("", TENTH))
        extra = gain(many, few)
        parts = {"all images": estimate(many.values()), "a tenth": estimate(few.values()), "difference": extra}
        asked = f"A larger network pays more where upstream data is larger: {larger}"
        printed = f"{arch} over R50x1 at 5: {paper[0]:+.1f} with S, {paper[1]:+.1f} with L"
        rows.append(Behavior(asked, printed, _text(parts), verdict([extra], above=0)))
    return rows


def beats_scratch() -> Behavior:
    """Transfer beats the same network from random weights at every number of examples."""
    found = {f"at {k}": gain(by_subset(NETWORK, k), by_subset(SCRATCH, k)) for k in which_runs.SHOTS}
    return _behavior("Transfer beats the same network from random weights", "not in Fig. 6", found)


def behaviors() -> list[Behavior]:
    """All rows of the scoreboard."""
    return [more_examples(), the_rise(), luck(), more_upstream(), *size_needs_data(), beats_scratch()]
