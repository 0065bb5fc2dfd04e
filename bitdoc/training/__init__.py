"""From images and a network to a trained network and its record: the rule, MixUp, the loop, and the two trainings.

Uses :mod:`bitdoc.data`, :mod:`bitdoc.network` and :mod:`bitdoc.records`. It trains and never draws, and it knows no
study.
"""

from bitdoc.training.engine import Engine, TrainingError
from bitdoc.training.recipe import Recipe, Upstream

__all__ = ["Engine", "Recipe", "TrainingError", "Upstream"]
