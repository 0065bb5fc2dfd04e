"""Figures and tables of the architecture page; importing this package registers them."""

from bitdoc.figures.architecture import changes, gradients, live, sizes
