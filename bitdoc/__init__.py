"""bitdoc: a book about Big Transfer (BiT) whose figures are experiments, and the package that runs them."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["__version__", "load"]

__version__ = "0.1.0"


def load(name: str | os.PathLike, classes: int | None = None, directory: str | os.PathLike | None = None) -> Any:
    """Load a network by the name of its weights: :func:`bitdoc.network.weights.load`, whose arguments these are."""
    from bitdoc.network import weights

    return weights.load(str(name), classes, directory)
