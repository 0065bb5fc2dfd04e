"""bitdoc: a book about Big Transfer (BiT) whose figures are experiments, and the package that runs them."""

from bitdoc.network.weights import load

__all__ = ["__version__", "load"]

__version__ = "0.1.0"
