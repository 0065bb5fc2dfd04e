"""Tables and numbers of the performance page; importing this package registers them."""

from bitdoc.figures.performance import tables
