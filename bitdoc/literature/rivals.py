"""The systems that BiT compares itself with, and the record that describes a model.

The numbers are the papers' (see :mod:`bitdoc.literature.published`), not ours. A size counts the classification head,
and is None where no source at hand states it. ResNet-50s and Wide ResNets were counted from their definition, the
networks of the ObjectNet rows from timm's.
"""

from __future__ import annotations

from dataclasses import dataclass

from bitdoc.literature import published


@dataclass(frozen=True)
class Model:
    """One row of the table of models.

    Attributes
    ----------
    name : str
        As the paper writes it.
    family : str
        ``"BiT"``, ``"generalist"``, ``"specialist"``, ``"semi-supervised"``, ``"VTAB"``, ``"ObjectNet"``,
        ``"detector"``, ``"normalization"`` or ``"baseline"``.
    what : str
        One line on the network and the method (MyST inline markup).
    millions : float or None
        Parameters in millions.
    data : str
        What it was trained on.
    where : str
        Tables and figures of the paper in which it stands.
    number : str
        Its number there, with the data set.
    cite : tuple of str
        Keys in ``docs/references.bib``.
    ilsvrc : float or None
        Top-1 accuracy on ILSVRC-2012 with all its labels, %, if a source gives it.
    """

    name: str
    family: str
    what: str
    millions: float | None
    data: str
    where: str
    number: str
    cite: tuple[str, ...]
    ilsvrc: float | None = None


def _table1(data: str, kind: str) -> str:
    return f"{data} {published.TABLE1.values[data][kind][0]}"


def _points(data: str, method: str) -> str:
    points = published.FIG2_SEMI.values[data][method]
    return f"{data} " + ", ".join(f"{accuracy} ({labels} per class)" for labels, accuracy in points.items())


def _fig3(name: str) -> str:
    return f"VTAB-1k {published.FIG3.values[name]['all']:.2f}"


def _objectnet(name: str) -> str:
    top1, top5 = published.FIG4_BASELINES.values[name]
    return f"ObjectNet top-1 {top1}, top-5 {top5}"


#: Every system of other authors in a table or figure of the BiT paper, and FixMatch, which only its text names.
RIVALS: tuple[Model, ...] = (
    Model(
        "FixRes",
        "generalist",
        "ResNeXt-101 32x48d, briefly fine-tuned at the resolution at which it is tested",
        829,
        "940M public images by hashtag, then ILSVRC-2012",
        "Table 1; Fig. 1",
        _table1("ILSVRC-2012", "generalist"),
        ("touvron2019fixres",),
        86.4,
    ),
    Model(
        "GPipe",
        "generalist",
        "AmoebaNet-B(18,512), so large that its layers are spread over machines",
        557,
        "ILSVRC-2012 at 480 pixels",
        "Table 1; Fig. 1",
        f"{_table1('CIFAR-10', 'generalist')}, {_table1('Pets', 'generalist')}",
        ("huang2019gpipe",),
        84.4,
    ),
    Model(
        "EfficientNet-B7",
        "generalist",
        "a searched network whose depth, width and resolution grow together",
        66,
        "ILSVRC-2012",
        "Table 1; Fig. 1",
        f"{_table1('CIFAR-100', 'generalist')}, {_table1('Flowers', 'generalist')}",
        ("tan2019efficientnet",),
        84.3,
    ),
    Model(
        "VIVI-Ex-100%",
        "VTAB",
        "R50x3 that learns invariances from video, with exemplar self-supervision and all ILSVRC-2012 labels",
        217.3,
        "YouTube-8M videos and ILSVRC-2012",
        "Table 1; Fig. 3",
        f"{_table1('VTAB-1k', 'generalist')} (Table 1), {published.FIG3.values['VIVI-Ex-100%']['all']:.2f} (Fig. 3)",
        ("tschannen2020vivi",),
    ),
    Model(
        "Noisy Student",
        "specialist",
        "EfficientNet-L2 that learns from the labels which its teacher gave to unlabeled images",
        480,
        "ILSVRC-2012 and 300M unlabeled JFT images",
        "Table 1",
        _table1("ILSVRC-2012", "specialist"),
        ("xie2020noisy",),
        88.4,
    ),
    Model(
        "Domain-adaptive transfer",
        "specialist",
        "a network pre-trained anew for each task, on upstream images weighted to look like the task's",
        None,
        "JFT-300M, re-weighted for each task",
        "Table 1",
        f"{_table1('Pets', 'specialist')}, {_table1('Flowers', 'specialist')}",
        ("ngiam2018domain",),
    ),
    Model(
        "Sup-Rotation-100%",
        "VTAB",
        "ResNet-50 v2 that also guesses by how much an image was turned",
        25.5,
        "ILSVRC-2012, all labels",
        "Fig. 3",
        _fig3("Sup-Rot-100%"),
        ("zhai2019vtab",),
    ),
    Model(
        "Sup-Exemplar-100%",
        "VTAB",
        "ResNet-50 v2 that also tells which crops come from one image",
        25.5,
        "ILSVRC-2012, all labels",
        "Fig. 3",
        _fig3("Sup-Ex-100%"),
        ("zhai2019vtab",),
    ),
    Model(
        "CPC v2",
        "semi-supervised",
        "ResNet-161 that predicts one patch of an image from others, then learns from the labels",
        305,
        "ILSVRC-2012: all images, few labels",
        "Fig. 2",
        _points("ILSVRC-2012", "CPC v2"),
        ("henaff2020cpc",),
    ),
    Model(
        "S4L MOAM",
        "semi-supervised",
        "ResNet-50 v2, four times as wide: rotation, consistency, low entropy, then its own labels",
        383.5,
        "ILSVRC-2012: all images, 10% of the labels",
        "Fig. 2",
        _points("ILSVRC-2012", "S4L MOAM"),
        ("zhai2019s4l",),
    ),
    Model(
        "MT+fSWA",
        "semi-supervised",
        "Mean Teacher, its weights averaged along the last part of training (fast-SWA)",
        None,
        "CIFAR-10 or CIFAR-100: all images, few labels",
        "Fig. 2",
        f"{_points('CIFAR-10', 'MT+fSWA')}; {_points('CIFAR-100', 'MT+fSWA')}",
        ("athiwaratkun2019average", "tarvainen2017mean"),
    ),
    Model(
        "Π+fSWA",
        "semi-supervised",
        "Π model (two noisy passes must agree) with the same averaging",
        None,
        "CIFAR-10 or CIFAR-100: all images, few labels",
        "Fig. 2",
        f"{_points('CIFAR-10', 'Π+fSWA')}; {_points('CIFAR-100', 'Π+fSWA')}",
        ("athiwaratkun2019average", "laine2017temporal"),
    ),
    Model(
        "MixMatch",
        "semi-supervised",
        "Wide ResNet-28 with 135 filters: guesses labels, sharpens them, mixes everything with MixUp",
        26,
        "CIFAR-100: all images, few labels",
        "Fig. 2",
        _points("CIFAR-100", "MixMatch"),
        ("berthelot2019mixmatch", "google2019mixmatchcode"),
    ),
    Model(
        "ReMixMatch",
        "semi-supervised",
        "WRN-28-2: MixMatch, plus matched label frequencies and strong augmentations anchored to a weak one",
        1.47,
        "CIFAR-10: all images, few labels",
        "Fig. 2",
        _points("CIFAR-10", "ReMixMatch"),
        ("berthelot2020remixmatch",),
    ),
    Model(
        "FixMatch",
        "semi-supervised",
        "WRN-28-2: a confident guess on a weakly changed image is the label of the strongly changed one",
        1.47,
        "CIFAR-10: all images, few labels",
        "Text only (Sec. 5)",
        "no number in a table or figure",
        ("sohn2020fixmatch",),
    ),
    Model(
        "ResNet-152",
        "ObjectNet",
        "the deepest ILSVRC-2012 network of the 2015 ResNet paper; the figures write R152x1",
        60.2,
        "ILSVRC-2012",
        "Figs. 4, 10",
        _objectnet("ResNet-152") + "; in the object's box 39.5 and 61.5",
        ("he2016resnet", "barbu2019objectnet", "borji2020objectnet"),
    ),
    Model(
        "Inception-v4",
        "ObjectNet",
        "parallel convolutions of several sizes in every block",
        42.7,
        "ILSVRC-2012",
        "Figs. 4, 10",
        _objectnet("Inception-v4"),
        ("szegedy2017inception", "barbu2019objectnet"),
    ),
    Model(
        "NASNet-A",
        "ObjectNet",
        "a cell found by search on CIFAR-10, stacked for ILSVRC-2012",
        88.8,
        "ILSVRC-2012",
        "Figs. 4, 10",
        _objectnet("NASNet-A"),
        ("zoph2018nasnet", "barbu2019objectnet"),
    ),
    Model(
        "PNASNet-5L",
        "ObjectNet",
        "a cell found by a cheaper search that grows it step by step",
        86.1,
        "ILSVRC-2012",
        "Figs. 4, 10",
        _objectnet("PNASNet-5L"),
        ("liu2018pnasnet", "barbu2019objectnet"),
    ),
    Model(
        "Unnamed baseline at R50x1",
        "ObjectNet",
        "a point that the figures draw without a name",
        None,
        "not stated",
        "Figs. 4, 10",
        "ObjectNet top-1 26.7, top-5 46.2; in the object's box 34.9 and 56.4",
        ("kolesnikov2020bit",),
    ),
    Model(
        "ResNet-50 of Fig. 1",
        "baseline",
        "the standard ResNet-50, pre-trained on ILSVRC-2012 alone",
        25.5,
        "ILSVRC-2012",
        "Fig. 1",
        ", ".join(f"{data} {row['full']:.2f}" for data, row in published.FIG1_R50.values.items()),
        ("kolesnikov2020bit",),
        published.FIG1_R50.values["ILSVRC-2012"]["full"],
    ),
    Model(
        "RetinaNet (literature)",
        "detector",
        "ResNeXt-101-FPN; its number is from COCO test-dev, the other three from val",
        None,
        "ILSVRC-2012, then COCO",
        "Table 3",
        f"COCO AP {published.TABLE3.values['RetinaNet'][1]}",
        ("lin2017focal",),
    ),
)
