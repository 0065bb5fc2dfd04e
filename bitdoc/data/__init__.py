"""Pictures in, tensors out: image files, class folders, the known data sets, and few-shot subsets of them.

Uses :mod:`bitdoc.records` for downloads, and nothing else. Nobody above opens an image file.
"""

from bitdoc.data.datasets import CIFAR10_CLASSES, DATA_VARIABLE, data_folder, digest, few_shot_indices, load
from bitdoc.data.folders import class_folders
from bitdoc.data.images import Images, decoded, resize
from bitdoc.data.pictures import DataError

__all__ = [
    "CIFAR10_CLASSES",
    "DATA_VARIABLE",
    "DataError",
    "Images",
    "class_folders",
    "data_folder",
    "decoded",
    "digest",
    "few_shot_indices",
    "load",
    "resize",
]
