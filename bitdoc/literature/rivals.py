"""The systems that BiT compares itself with, and the record that describes a model.

The numbers are the papers' (see :mod:`bitdoc.literature.published`), not ours. A size counts the classification head,
and is None where no source at hand states it. ResNet-50s and Wide ResNets were counted from their definition, the
networks of the ObjectNet rows from timm's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bitdoc.literature import published

#: Columns of the table of models: top-1 accuracy in percent; on ObjectNet top-5, on COCO average precision.
DATA_SETS = ("ILSVRC-2012", "CIFAR-10", "CIFAR-100", "Pets", "Flowers", "VTAB-1k", "ObjectNet", "COCO")


@dataclass(frozen=True)
class Model:
    """One row of the table of models.

    Attributes
    ----------
    name : str
        As the paper writes it.
    family : str
        ``"BiT"``, ``"generalist"``, ``"specialist"``, ``"VTAB"``, ``"semi-supervised"``, ``"ObjectNet"``,
        ``"detector"``, ``"normalization"`` or ``"baseline"``.
    what : str
        What sets it apart in its family, and its training data (MyST inline markup).
    millions : float or None
        Parameters in millions.
    where : str
        Tables and figures of the paper in which it stands.
    scores : Mapping
        Its numbers in the paper by :data:`DATA_SETS`.
    cite : tuple of str
        Keys in ``docs/references.bib``.
    labels : Mapping
        Where a number was reached with few labels: how many of each class, by data set.
    ilsvrc : float or None
        Top-1 accuracy on ILSVRC-2012 with all its labels, %, if a source gives it, the BiT paper or another.
    """

    name: str
    family: str
    what: str
    millions: float | None
    where: str
    scores: Mapping[str, float]
    cite: tuple[str, ...]
    labels: Mapping[str, int] = field(default_factory=dict)
    ilsvrc: float | None = None


def _table1(kind: str, *data_sets: str) -> dict[str, float]:
    return {data: published.TABLE1.values[data][kind][0] for data in data_sets}


def _most_labels(method: str) -> tuple[dict[str, float], dict[str, int]]:
    """Of each data set of Fig. 2 the point with the most labels: its accuracy, and the labels of each class."""
    points = {data: methods[method] for data, methods in published.FIG2_SEMI.values.items() if method in methods}
    most = {data: max(by_labels) for data, by_labels in points.items()}
    return {data: points[data][labels] for data, labels in most.items()}, most


def _semi(name: str, what: str, millions: float | None, *cite: str) -> Model:
    scores, labels = _most_labels(name)
    return Model(name, "semi-supervised", what, millions, "Fig. 2", scores, cite, labels)


def _objectnet(name: str, what: str, millions: float, *cite: str) -> Model:
    scores = {"ObjectNet": published.FIG4_BASELINES.values[name][1]}
    return Model(name, "ObjectNet", what, millions, "Figs. 4, 10", scores, (*cite, "barbu2019objectnet"))


def _baseline() -> Model:
    scores = {data: row["full"] for data, row in published.FIG1_R50.values.items()}
    return Model(
        "Baseline (ILSVRC-2012)",
        "baseline",
        "ResNet-50 pre-trained on ILSVRC-2012, says Fig. 1; Figs. 4 and 10 use the same words",
        25.5,
        "Figs. 1, 4, 10",
        scores | {"ObjectNet": published.FIG4_BASELINES.values["Baseline (ILSVRC-2012)"][1]},
        ("kolesnikov2020bit",),
        ilsvrc=scores["ILSVRC-2012"],
    )


#: Every system of other authors in a table or figure of the BiT paper, and FixMatch, which its text cites unnamed.
RIVALS: tuple[Model, ...] = (
    Model(
        "FixRes",
        "generalist",
        "ResNeXt-101 32x48d, fine-tuned at the resolution of the test; 940M public images by hashtag, then ILSVRC-2012",
        829,
        "Table 1; Fig. 1",
        _table1("generalist", "ILSVRC-2012"),
        ("touvron2019fixres",),
        ilsvrc=86.4,
    ),
    Model(
        "GPipe",
        "generalist",
        "AmoebaNet-B(18,512), so large that its layers are spread over machines; ILSVRC-2012 at 480 pixels",
        557,
        "Table 1; Fig. 1",
        _table1("generalist", "CIFAR-10", "Pets"),
        ("huang2019gpipe",),
        ilsvrc=84.4,
    ),
    Model(
        "EfficientNet-B7",
        "generalist",
        "a searched network whose depth, width and resolution grow together; ILSVRC-2012",
        66,
        "Table 1; Fig. 1",
        _table1("generalist", "CIFAR-100", "Flowers"),
        ("tan2019efficientnet",),
        ilsvrc=84.3,
    ),
    Model(
        "VIVI-Ex-100%",
        "generalist",
        "R50x3 that learns invariances from YouTube-8M videos, with exemplar self-supervision and all of ILSVRC-2012",
        217.3,
        "Table 1; Fig. 3",
        _table1("generalist", "VTAB-1k"),
        ("tschannen2020vivi",),
    ),
    Model(
        "Noisy Student",
        "specialist",
        "EfficientNet-L2 that learns from labels which its teacher gave to JFT images; ILSVRC-2012 and JFT-300M",
        480,
        "Table 1",
        _table1("specialist", "ILSVRC-2012"),
        ("xie2020noisy",),
        ilsvrc=88.4,
    ),
    Model(
        "Domain-adaptive transfer",
        "specialist",
        "pre-trained anew for each task, on JFT-300M weighted to look like the task",
        None,
        "Table 1",
        _table1("specialist", "Pets", "Flowers"),
        ("ngiam2018domain",),
    ),
    Model(
        "Sup-Rotation-100%",
        "VTAB",
        "ResNet-50 v2 that also guesses by how much an image was turned; ILSVRC-2012",
        25.5,
        "Fig. 3",
        {"VTAB-1k": published.FIG3.values["Sup-Rot-100%"]["all"]},
        ("zhai2019vtab",),
    ),
    Model(
        "Sup-Exemplar-100%",
        "VTAB",
        "ResNet-50 v2 that also tells which crops come from one image; ILSVRC-2012",
        25.5,
        "Fig. 3",
        {"VTAB-1k": published.FIG3.values["Sup-Ex-100%"]["all"]},
        ("zhai2019vtab",),
    ),
    _semi(
        "CPC v2",
        "ResNet-161 that predicts one patch of an image from others, then learns from the labels",
        305,
        "henaff2020cpc",
    ),
    _semi(
        "S4L MOAM",
        "ResNet-50 v2, four times as wide: rotation, consistency, low entropy, then its own labels",
        383.5,
        "zhai2019s4l",
    ),
    _semi(
        "MT+fSWA",
        "Mean Teacher, its weights averaged along the last part of training (fast-SWA)",
        None,
        "athiwaratkun2019average",
        "tarvainen2017mean",
    ),
    _semi(
        "Π+fSWA",
        "Π model (two noisy passes must agree) with the same averaging",
        None,
        "athiwaratkun2019average",
        "laine2017temporal",
    ),
    _semi(
        "MixMatch",
        "Wide ResNet-28 with 135 filters: guesses labels, sharpens them, mixes everything with MixUp",
        26,
        "berthelot2019mixmatch",
        "google2019mixmatchcode",
    ),
    _semi(
        "ReMixMatch",
        "WRN-28-2: MixMatch, plus matched label frequencies and strong augmentations anchored to a weak one",
        1.47,
        "berthelot2020remixmatch",
    ),
    Model(
        "FixMatch",
        "semi-supervised",
        "WRN-28-2: a confident guess on a weakly changed image is the label of the strongly changed one",
        1.47,
        "cited without a name (Sec. 5)",
        {},
        ("sohn2020fixmatch",),
    ),
    _objectnet(
        "ResNet-152",
        "the deepest network of the 2015 ResNet paper; the figures write R152x1; ILSVRC-2012",
        60.2,
        "he2016resnet",
    ),
    _objectnet(
        "Inception-v4",
        "parallel convolutions of several sizes in every block; ILSVRC-2012",
        42.7,
        "szegedy2017inception",
    ),
    _objectnet(
        "NASNet-A",
        "a cell found by search on CIFAR-10, stacked for ILSVRC-2012",
        88.8,
        "zoph2018nasnet",
    ),
    _objectnet(
        "PNASNet-5L",
        "a cell found by a cheaper search that grows it step by step; ILSVRC-2012",
        86.1,
        "liu2018pnasnet",
    ),
    Model(
        "RetinaNet (literature)",
        "detector",
        "on ResNeXt-101, with changes of scale and trained 1.5 times as long; scored on test-dev, the others on val",
        None,
        "Table 3",
        {"COCO": published.TABLE3.values["RetinaNet"][1]},
        ("lin2017focal",),
    ),
    _baseline(),
    Model(
        "IN-R50, INet-R50",
        "baseline",
        "ResNet-50 trained on ILSVRC-2012 from scratch; its guesses stand beside BiT-L's",
        25.5,
        "Figs. 14, 15",
        {},
        ("kolesnikov2020bit",),
    ),
)
