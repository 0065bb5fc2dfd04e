"""``bitdoc probe``: features of a frozen network, a linear head on them, and what that is worth, in minutes.

The head is a logistic regression (:func:`bitdoc.studies.probe.fit`). How strongly its weights are held back is chosen
on validation pictures; then it is trained on training and validation pictures together, and tested once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from bitdoc import data
from bitdoc.desk import split
from bitdoc.desk.look import Survey
from bitdoc.desk.scores import Outcome
from bitdoc.network.resnet import ResNetV2
from bitdoc.studies.probe import PENALTY, fit

#: Strengths of the penalty that are tried.
PENALTIES = (0.01, 0.1, 1.0, 10.0)
#: Parts of the training pictures at which the learning curve is measured, and the draws of each part.
SHARES, DRAWS = (0.25, 0.5), 3


@dataclass(frozen=True)
class Known:
    """Pictures as a probe sees them: features ``(N, D)``, labels ``(N,)``, and the number of classes."""

    features: Tensor
    labels: Tensor
    classes: int

    def at(self, places: Sequence[int]) -> Known:
        """Some of them."""
        chosen = torch.tensor(places, dtype=torch.int64)
        return Known(self.features[chosen], self.labels[chosen], self.classes)


@dataclass(frozen=True)
class Head:
    """A linear head on features that were scaled to mean 0 and spread 1 over its training pictures."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def trained(cls, known: Known, penalty: float) -> Head:
        """Fit one; the scaling becomes part of its weights, so that it can stand behind the network as it is."""
        mean, spread = known.features.mean(0), known.features.std(0, correction=0) + 1e-6
        linear = fit((known.features - mean) / spread, known.labels, known.classes, penalty)
        weight = linear.weight.detach() / spread
        return cls(weight, linear.bias.detach() - weight @ mean)

    def shares(self, known: Known) -> Tensor:
        """``(N, C)`` probabilities."""
        return F.linear(known.features, self.weight, self.bias).softmax(1)

    def put_on(self, network: ResNetV2) -> ResNetV2:
        """Make it the head of a network."""
        with torch.no_grad():
            for own, found in zip(network.head.parameters(), (self.weight, self.bias), strict=True):
                own.copy_(found)
        return network


@dataclass
class Findings:
    """What a probe found.

    Attributes
    ----------
    head : Head
        To be used from now on.
    outcome : Outcome
        What it, or heads made alike, said of pictures they had not seen.
    penalty : float
        Strength that was chosen.
    learning : dict
        Number of training pictures to the accuracies of heads that had so many.
    few : list of float
        Accuracies on the subsets that ``--examples_per_class`` asked for.
    """

    head: Head
    outcome: Outcome
    penalty: float
    learning: dict[int, list[float]] = field(default_factory=dict)
    few: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Turn:
    """One test: pictures to train on, pictures to test on, and pairs of parts of the former to choose by."""

    pool: list[int]
    test: list[int]
    choice: list[tuple[list[int], list[int]]]


def turns(survey: Survey) -> list[Turn]:
    """The one test of a split, or those of a cross-validation, in which every picture is tested once."""
    if not survey.folds:
        at = {side: [i for i, own in enumerate(survey.sides) if own == side] for side in ("train", "val", "test")}
        return [Turn(at["train"] + at["val"], at["test"], [(at["train"], at["val"])] if at["val"] else [])]
    parts = [[i for i, own in enumerate(survey.folds) if own == number] for number in range(split.FOLDS)]
    return [_turn(parts, number) for number in range(split.FOLDS) if parts[number]]


def _turn(parts: list[list[int]], number: int) -> Turn:
    """Test on one part; choose by the two that follow it, each held out from the rest once."""
    pool = [i for other, part in enumerate(parts) if other != number for i in part]
    held = [set(parts[(number + step) % len(parts)]) for step in (1, 2)]
    choice = [([i for i in pool if i not in out], sorted(out)) for out in held if out]
    return Turn(sorted(pool), parts[number], choice)


def chosen_penalty(known: Known, choice: list[tuple[list[int], list[int]]]) -> float:
    """The strength under which heads trained on the first of each pair give the second the least loss."""
    if not choice:
        return PENALTY

    def loss(penalty: float) -> float:
        pairs = ((Head.trained(known.at(train), penalty), known.at(held)) for train, held in choice)
        return sum(_loss(head.shares(held), held.labels) for head, held in pairs)

    return min(PENALTIES, key=loss)


def _loss(shares: Tensor, labels: Tensor) -> float:
    return F.nll_loss(shares.clamp_min(1e-12).log(), labels).item()


def answers(known: Known, every: list[Turn], trained: Callable[[Turn], Head]) -> Outcome:
    """What heads, one for each turn, say of the pictures that the turn tests."""
    places = [i for turn in every for i in turn.test]
    shares = torch.cat([trained(turn).shares(known.at(turn.test)) for turn in every])
    return Outcome(places, known.labels[places], shares)


def probe(survey: Survey, known: Known, examples: int | None, subsets: int, seed: int) -> Findings:
    """Choose, train and test a head on the features ``known`` of a survey's pictures, in the same order.

    Parameters
    ----------
    examples, subsets : int or None, int
        With ``examples`` the heads see so many pictures of each class, in ``subsets`` random choices of them, and their
        weights are held back as in the book's probes: somebody with so few would have none to choose by.
    """
    every = turns(survey)
    if examples:
        return _few(known, every, examples, subsets, seed)
    penalties = {id(turn): chosen_penalty(known, turn.choice) for turn in every}
    outcome = answers(known, every, lambda turn: Head.trained(known.at(turn.pool), penalties[id(turn)]))
    learning = _learning(known, every, penalties, seed)
    learning[_mean_pool(every)] = [outcome.accuracy]
    if not survey.folds:
        penalty = penalties[id(every[0])]
        return Findings(Head.trained(known.at(every[0].pool), penalty), outcome, penalty, learning)
    penalty = chosen_penalty(known, [pair for turn in every for pair in turn.choice[:1]])
    return Findings(Head.trained(known, penalty), outcome, penalty, learning)


def _mean_pool(every: list[Turn]) -> int:
    return round(sum(len(turn.pool) for turn in every) / len(every))


def _learning(known: Known, every: list[Turn], penalties: dict[int, float], seed: int) -> dict[int, list[float]]:
    """Accuracies with a quarter and with half of the training pictures of each class."""
    found: dict[int, list[float]] = {}
    for share in SHARES:
        for draw in range(DRAWS):
            some = {id(turn): _part(known.labels, turn.pool, share, seed + draw) for turn in every}

            def head(turn: Turn, some: dict[int, list[int]] = some) -> Head:
                return Head.trained(known.at(some[id(turn)]), penalties[id(turn)])

            outcome = answers(known, every, head)
            count = round(sum(map(len, some.values())) / len(every))
            found.setdefault(count, []).append(outcome.accuracy)
    return found


def _part(labels: Tensor, pool: list[int], share: float, seed: int) -> list[int]:
    """A random part of the pictures of each class; a smaller one is contained in a larger one of the same seed."""
    own, some = labels[pool], []
    for label in own.unique().tolist():
        members = (own == label).nonzero().flatten()
        order = torch.randperm(len(members), generator=torch.Generator().manual_seed(seed))
        some += members[order[: max(1, round(share * len(members)))]].tolist()
    return [pool[i] for i in sorted(some)]


def _few(known: Known, every: list[Turn], examples: int, subsets: int, seed: int) -> Findings:
    """Heads on so many pictures of each class; the one that is kept has seen the first subset."""

    def subset(turn: Turn, number: int) -> list[int]:
        drawn = data.few_shot_indices(known.labels[turn.pool], examples, seed + number)
        return [turn.pool[i] for i in drawn.tolist()]

    def answered(number: int) -> Outcome:
        return answers(known, every, lambda turn: Head.trained(known.at(subset(turn, number)), PENALTY))

    outcomes = [answered(number) for number in range(subsets)]
    scores = [outcome.accuracy for outcome in outcomes]
    head = Head.trained(known.at(subset(every[0], 0)), PENALTY)
    return Findings(head, outcomes[0], PENALTY, {examples * known.classes: scores}, scores)
