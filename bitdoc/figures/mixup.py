"""Figures of the MixUp page, one part a module."""

from bitdoc.figures import mixup_batch, mixup_beta, mixup_measured, mixup_moons, mixup_pictures, mixup_published
from bitdoc.figures.mixup_pictures import mixer
