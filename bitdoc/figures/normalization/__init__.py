"""Figures of the normalization page."""

from bitdoc.figures.normalization import blocks, circle, compare, explorer, live, measured, offsets, published, weights
