"""Figures, tables and numbers of the few-shot page; importing this package registers them."""

from bitdoc.figures.fewshot import by_setting, grown, lead, miniature, official, r50x3, tables, ten_pictures
