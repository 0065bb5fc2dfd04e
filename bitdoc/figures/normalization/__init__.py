"""Figures of the normalization page."""

from bitdoc.figures.normalization import blocks, live, measured, published, weights
