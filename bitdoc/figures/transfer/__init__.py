"""Figures of the page on transfer learning; importing this module registers them."""

from bitdoc.figures.transfer import findings, idea, measured, results, rule
