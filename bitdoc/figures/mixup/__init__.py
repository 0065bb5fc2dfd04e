"""Figures of the MixUp page, one part a module."""

from bitdoc.figures.mixup import batch, beta, measured, moons, pictures, published
from bitdoc.figures.mixup.pictures import mixer
