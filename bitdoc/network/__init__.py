"""The network: its norms, its blocks, its weights, how it is grown, what it costs, and the detector built on it.

Uses :mod:`bitdoc.records` to fetch and check files of weights. It knows nothing of data sets and of training.
"""

from bitdoc.network.resnet import ResNetV2, architecture, build
from bitdoc.network.weights import load

__all__ = ["ResNetV2", "architecture", "build", "load"]
