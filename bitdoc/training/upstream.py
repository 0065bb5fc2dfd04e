"""Upstream networks that are made on the spot: ``--model BiT-T-R50x3`` pre-trains R50x3 if no file has its weights."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch

from bitdoc import data
from bitdoc.network import weights
from bitdoc.network.resnet import architecture, build
from bitdoc.records.files import cache_folder, is_whole_zip, written_atomically
from bitdoc.training import grow
from bitdoc.training.engine import Engine, TrainingError
from bitdoc.training.loop import generator, mixed_micro_batches, random_resized_crop, train
from bitdoc.training.pretrain import part_of, pretrain
from bitdoc.training.recipe import Growth, Upstream, fraction_of, growth

#: The recipe of the BiT-T network that is shipped; of ``--minutes`` a tenth is left for decoding and testing.
CHOICE = Upstream(phases="32x12,48x12,64x3.5", base_lr=0.3, warmup=0.03, schedule="linear", smallest_crop=0.5)
SHARE = 0.9
#: Networks that are grown, and the smaller ones they grow from, stay at 32 pixels, for the sake of two CPU cores.
PARENT = replace(CHOICE, phases="32x5")
#: How a grown network is trained on: one pass. At one learning rate its filters turn more slowly than the parent's,
#: because widening by w leaves each weight 1/w² of its gradient, and the head faster.
GROWTH = replace(CHOICE, phases="32x1", batch=256, base_lr=0.15)
#: A network that saw its 100,000 images thirty times, strongly regularized from the first step.
_STRONG = replace(CHOICE, phases="32x14,48x10,64x6", weight_decay=5e-4, smallest_crop=0.25, mixup=0.1)
#: R50x1 and wider networks from random weights, for a graphics card: thirty passes over 100,000 images, strongly
#: regularized, at the paper's learning rate, ...
LARGE = replace(
    CHOICE,
    phases="32x9,48x9,64x12",
    batch=256,
    base_lr=0.03,
    warmup=0.1,
    weight_decay=5e-4,
    smallest_crop=0.25,
    mixup=0.2,
)
#: ... and, over a tenth of them, three times as many.
LARGE_TENTH = replace(LARGE, phases="32x27,48x27,64x36", fraction=0.1)
#: The ladder: networks that are made by a recipe of their own, each from the one before it.
LADDER = {
    "BiT-T-R26x0.5-regularized": _STRONG,
    "BiT-T-R50x1-regularized": replace(
        _STRONG,
        model="R50x1",
        phases="32x2,48x4,64x1",
        base_lr=0.2,
        grown_from="BiT-T-R26x0.5-regularized",
        noise=0.2,
    ),
}


def seconds_per_step(choice: Upstream, side: int, classes: int, engine: Engine, steps: int = 5) -> float:
    """Time of a step at ``side`` pixels, after two steps to warm up, with a network that is thrown away."""
    model = engine.place(build(choice.model, classes))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    pixels = torch.zeros(choice.batch, 3, 64, 64, dtype=torch.uint8, device=engine.device)
    labels = torch.zeros(choice.batch, dtype=torch.int64, device=engine.device)
    clock: list[float] = []

    def batch_at(step: int):
        rng = generator("speed", step)
        x = random_resized_crop(pixels, side, (choice.smallest_crop, 1.0), rng)
        return mixed_micro_batches(x.contiguous(memory_format=torch.channels_last), labels, 1, 0.0, rng), len(x)

    def tick(*_: float) -> None:
        clock.append(time.perf_counter())

    train(model, optimizer, batch_at, lambda s: 0.0 if s < steps + 2 else None, on_step=tick, engine=engine)
    return statistics.median(later - earlier for earlier, later in pairwise(clock[1:]))


def shortened(choice: Upstream, examples: int, minutes: float, seconds: dict[int, float]) -> Upstream:
    """``choice`` with as many epochs as fit into ``minutes``, at most its own, every phase by the same share.

    Parameters
    ----------
    seconds : dict
        Measured time of a step by the side of its images.

    Raises
    ------
    TrainingError
        If not even a hundred steps fit.
    """
    starts = [0] + [last for last, _ in choice.plan(examples)]
    steps = [(side, last - first) for first, (last, side) in zip(starts, choice.plan(examples), strict=False)]
    wanted = sum(count * seconds[side] for side, count in steps)
    share = min(1.0, SHARE * 60 * minutes / wanted)
    if share * starts[-1] < min(100, starts[-1]):
        raise TrainingError(
            f"{minutes:g} minutes are too few to pre-train {choice.model} on this device: all {starts[-1]:,} steps "
            f"take about {wanted / 60:.0f} minutes, and at least 100 are needed"
        )
    return replace(choice, phases=",".join(f"{side}x{_plain(count * share)}" for side, count in choice.sides))


def _plain(number: float) -> str:
    """Four digits of a number above 0, without an exponent."""
    return f"{float(f'{number:.4g}'):.12f}".rstrip("0").rstrip(".")


def choice_for(model: str, grow_from: str | None = None, base: Upstream | None = None) -> Upstream:
    """How the ``BiT-T`` network ``model`` is pre-trained: from random weights, or from those of ``grow_from``.

    ``base`` is the recipe, by default ``GROWTH``, ``LARGE`` from width 1 on, or ``CHOICE``; that of a network to grow
    from is ``PARENT``. A network of the :data:`LADDER` has its own, unless it is to be grown otherwise. The suffix
    of ``BiT-T-R26x0.5-10pct`` names the share of the upstream images.

    Raises
    ------
    TrainingError
        If the suffix is anything else.
    """
    if model in LADDER and not grow_from:
        return LADDER[model]
    name, fraction = weights.ModelName.parse(model), fraction_of(model)
    if grow_from:
        return replace(base or GROWTH, model=name.arch, fraction=fraction, grown_from=grow_from)
    if base is None and architecture(name.arch).width >= 1:
        base = LARGE_TENTH if fraction == LARGE_TENTH.fraction else LARGE
    return replace(base or CHOICE, model=name.arch, fraction=fraction)


@dataclass(frozen=True)
class Wanted:
    """A model whose weights are wanted, and what a ``BiT-T`` one is made from where no file has them.

    Attributes
    ----------
    model : str
        A model, or an architecture alone, which needs no weights.
    directory, datadir : str, optional
        Where weights and Tiny ImageNet are looked for first.
    minutes : float, optional
        Bound on each pre-training.
    grow_from : str, optional
        The ``BiT-T`` network it grows from, which is wanted too.
    base : Upstream, optional
        The recipe, as for :func:`choice_for`.
    """

    model: str
    directory: str | None = None
    datadir: str | None = None
    minutes: float | None = None
    grow_from: str | None = None
    base: Upstream | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be made, with :class:`~bitdoc.training.engine.TrainingError`, before anything is read."""
        if self.grow_from:
            for name, part in ((self.model, "can be grown here"), (self.grow_from, "is grown from")):
                if not name.startswith("BiT-T-"):
                    raise TrainingError(f"only a BiT-T network {part}, and {name} is none: leave out --grow_from")
            if growth(weights.ModelName.parse(self.model).arch, self.grow_from) == Growth(1, None):
                raise TrainingError(f"{self.grow_from} is as large as {self.model} already: leave out --grow_from")
        for choice in [one.choice for one in self.missing()]:
            if self.minutes is None:  # else it is cut short, and named otherwise
                grow.check_records(choice, self.directory)

    @property
    def choice(self) -> Upstream:
        """How it is pre-trained, as long as no bound cuts that short."""
        return choice_for(self.model, self.grow_from, self.base)

    @property
    def parent(self) -> Wanted | None:
        """The network it grows from."""
        if not self.model.startswith("BiT-T-") or not (name := self.choice.grown_from):
            return None
        return replace(self, model=name, grow_from=None, base=PARENT)

    def missing(self) -> list[Wanted]:
        """What has to be pre-trained, in that order: the network, and before it its parent, if no file has them."""
        if not self.model.startswith("BiT-T-") or weights.at_hand(self.model, self.directory):
            return []
        return [*(self.parent.missing() if self.parent else []), self]


def provide(wanted: Wanted, engine: Engine) -> None:
    """Pre-train on Tiny ImageNet what is wanted and has no weights; keep them in the cache.

    A pre-training that was stopped goes on as it was planned. Models of others are left to
    :func:`bitdoc.network.weights.find`.
    """
    if wanted.model.startswith("BiT-T-"):
        weights.check_folder(wanted.directory)
    for one in engine.agree(wanted.missing() if engine.is_main else None):
        _make(one, engine)


def _make(wanted: Wanted, engine: Engine) -> None:
    workdir, choice = cache_folder() / "upstream", wanted.choice
    if wanted.minutes is not None:
        choice = _within(choice, wanted.minutes, wanted.datadir, engine)
    if engine.is_main:
        begin = f", grown from {wanted.grow_from}" if wanted.grow_from else ""
        what = f"pre-training {choice.model} on {choice.dataset}, {choice.phases}{begin}"
        print(f"no weights of {wanted.model}: {what}", flush=True)
    pretrain(choice, wanted.datadir, workdir, engine=engine, directory=wanted.directory)
    kept = cache_folder() / weights.model_file(wanted.model)
    if engine.is_main and not (kept.is_file() and is_whole_zip(kept)):  # the first weights stay: runs may use them
        with (workdir / f"{choice.tag}.npz").open("rb") as made, written_atomically(kept) as file:
            shutil.copyfileobj(made, file)
    engine.agree(None)


def _noted(note: Path, choice: Upstream) -> Upstream | None:
    """The plan that was made for ``choice`` before; a damaged one is named and made again."""
    if not note.exists():
        return None
    try:
        plan = Upstream(**json.loads(note.read_text(encoding="utf-8")))
        if replace(plan, phases=choice.phases) == choice:
            return plan
    except (ValueError, TypeError, AttributeError, OSError, RecursionError, TrainingError):
        pass
    print(f"warning: the plan {note} is damaged or of another run, and is made anew", file=sys.stderr, flush=True)
    return None


def _within(choice: Upstream, minutes: float, datadir: str | None, engine: Engine) -> Upstream:
    """The plan for ``minutes``: the one made before, so that a stopped run goes on, or a new one."""
    note = cache_folder() / "upstream" / f"{choice.tag}_{minutes:g}min.json"
    if found := engine.agree(_noted(note, choice)):
        return found
    with engine.main_first():
        images = part_of(data.load(choice.dataset, "train", datadir), choice.fraction, choice.seed)
    sides = {side for _, side in choice.plan(len(images))}
    measured = {side: seconds_per_step(choice, side, len(images.classes), engine) for side in sorted(sides)}
    choice = engine.agree(shortened(choice, len(images), minutes, engine.agree(measured)))
    if engine.is_main:
        with written_atomically(note) as file:
            file.write(json.dumps(asdict(choice)).encode())
    return choice
