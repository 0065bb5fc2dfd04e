"""Figures and tables of the page on the models; importing this module registers them."""

from bitdoc.figures.models import anchors, focal, learning, pyramid, rivals, scoring, semi, table
