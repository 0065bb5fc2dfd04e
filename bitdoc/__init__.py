"""bitdoc: a book about Big Transfer (BiT) whose figures are experiments, and the package that runs them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

__all__ = ["__version__", "load"]

__version__ = "0.1.0"


def load(name: str | os.PathLike, classes: int | None = None, directory: str | os.PathLike | None = None) -> Any:
    """Load a network by the name of its weights, or the classifier that ``bitdoc probe`` or ``bitdoc train`` left.

    More ways in, and what is known of a network beside its weights: :func:`bitdoc.exchange.loading.load`.

    Parameters
    ----------
    name : str or path
        ``"BiT-M-R50x1"``, a repository of the hub such as ``"timm/resnetv2_50x1_bit.goog_in21k"``, or the folder of
        a run such as ``"my_pictures/run"``.
    classes, directory
        For names of weights alone, as :func:`bitdoc.network.weights.load` takes them.

    Returns
    -------
    ResNetV2 or Classifier
        In evaluation mode on the CPU. A :class:`~bitdoc.desk.bundle.Classifier` has the names of its ``classes``, and
        ``preprocess`` turns a picture into its input.

    Raises
    ------
    WeightsError
        If there is neither, or it is damaged.
    """
    from bitdoc.exchange import hub

    if isinstance(name, str) and hub.is_authors(name) and not Path(name).exists():
        from bitdoc import exchange

        return exchange.load(name)[0]
    if not str(name).startswith("BiT-") and (Path(name).exists() or Path(name).name != str(name)):
        from bitdoc.desk import bundle

        return bundle.load(name)
    from bitdoc.network import weights

    return weights.load(str(name), classes, directory)
