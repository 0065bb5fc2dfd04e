"""Figures of the normalization page."""

from bitdoc.figures.normalization import blocks, circle, compare, live, measured, offsets, published, weights
