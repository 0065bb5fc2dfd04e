"""Figures and tables of the page on the models; importing this module registers them."""

from bitdoc.figures import (
    models_anchors,
    models_focal,
    models_learning,
    models_pyramid,
    models_rivals,
    models_semi,
    models_table,
)
