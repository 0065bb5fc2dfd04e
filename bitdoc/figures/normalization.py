"""Figures of the normalization page."""

from bitdoc.figures import (
    normalization_blocks,
    normalization_live,
    normalization_measured,
    normalization_published,
    normalization_weights,
)
