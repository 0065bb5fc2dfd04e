"""Figures, tables and numbers of the few-shot page; importing this package registers them."""

from bitdoc.figures.fewshot import lead, r50x3, sizes, ten_pictures
