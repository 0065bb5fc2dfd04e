"""Figures of the MixUp page, one part a module."""

from bitdoc.figures.mixup import batch, beta, measured, memorize, middle, moons, pictures, shrink, when
from bitdoc.figures.mixup.pictures import mixer
from bitdoc.figures.mixup.slider import moons_slider
