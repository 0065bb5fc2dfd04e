"""Numbers printed in papers and official tables, each with its citation key. Nothing here was measured by bitdoc.

``cite`` is a key of ``docs/references.bib``; ``where`` says which table or figure. Values "read off" a figure were
decoded from the position of its marks and are good to about 0.05.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Published:
    """Published values with their source.

    Attributes
    ----------
    cite : str
        Key in ``docs/references.bib``.
    where : str
        Table, figure or file, and "read off" where a figure was decoded.
    unit : str
        What the numbers are, such as ``"top-1 accuracy, %"``.
    values : Any
        Usually nested dictionaries, keyed by what the reader would look up.
    """

    cite: str
    where: str
    unit: str
    values: Any


def _rows(text: str) -> dict[str, list[float]]:
    """Read a table kept as text: on each line a name and its numbers; ``/``, ``|`` and ``±`` only guide the eye."""
    lines = [line.translate(str.maketrans("/|±", "   ")).split() for line in text.strip().splitlines()]
    return {name: [float(number) for number in numbers] for name, *numbers in lines}


def _sml(text: str, columns: tuple) -> dict:
    """Read rows that hold one triple S / M / L for each of ``columns``; returns ``{column: {row: {"S": ...}}}``."""
    rows = _rows(text)
    return {
        column: {name: dict(zip("SML", numbers[3 * i : 3 * i + 3], strict=True)) for name, numbers in rows.items()}
        for i, column in enumerate(columns)
    }


# ---- BiT (Kolesnikov et al. 2020) ----------------------------------------------------------------------------------

_BIT = "kolesnikov2020bit"
_TOP1 = "top-1 accuracy, %"

#: ``values[data set]["BiT-L"] = (median, s.d.)``; ``["generalist"]``, ``["specialist"] = (accuracy, system)`` or None.
TABLE1 = Published(
    _BIT,
    "Table 1",
    f"{_TOP1}; BiT-L: median and standard deviation of 3 fine-tuning runs",
    {
        "ILSVRC-2012": {
            "BiT-L": (87.54, 0.02),
            "generalist": (86.4, "FixRes"),
            "specialist": (88.4, "Noisy Student"),
        },
        "CIFAR-10": {"BiT-L": (99.37, 0.06), "generalist": (99.0, "GPipe"), "specialist": None},
        "CIFAR-100": {"BiT-L": (93.51, 0.08), "generalist": (91.7, "EfficientNet"), "specialist": None},
        "Pets": {
            "BiT-L": (96.62, 0.23),
            "generalist": (95.9, "GPipe"),
            "specialist": (97.1, "Domain-adaptive transfer"),
        },
        "Flowers": {
            "BiT-L": (99.63, 0.03),
            "generalist": (98.8, "EfficientNet"),
            "specialist": (97.7, "Domain-adaptive transfer"),
        },
        "VTAB-1k": {"BiT-L": (76.29, 1.70), "generalist": (70.5, "VIVI-Ex"), "specialist": None},
    },
)

#: ``values["BiT-S" or "BiT-M"][data set]``; both are R152x4.
TABLE2 = Published(
    _BIT,
    "Table 2",
    _TOP1,
    {
        name: dict(zip(TABLE1.values, numbers, strict=True))
        for name, numbers in _rows(
            """
            BiT-S  81.30 97.51 86.21 93.97 89.89 66.87
            BiT-M  85.39 98.91 92.17 94.46 99.30 70.64
            """
        ).items()
    },
)

#: ``values[detector] = (upstream data, AP)``; BiT's backbones are R101x3. The first row is the RetinaNet paper's
#: ResNeXt-101-FPN on COCO test-dev, so neither its backbone nor its split is that of the other three.
TABLE3 = Published(
    _BIT,
    "Table 3",
    "box AP on COCO-2017 val, %",
    {
        "RetinaNet": ("ILSVRC-2012", 40.8),
        "BiT-S": ("ILSVRC-2012", 41.7),
        "BiT-M": ("ImageNet-21k", 43.2),
        "BiT-L": ("JFT-300M", 43.8),
    },
)

#: ``values[norm][convolution]``: a ResNet-50 trained from scratch on ILSVRC-2012 with batches of 4096.
TABLE4 = Published(
    _BIT,
    "Table 4",
    _TOP1,
    {
        "batch norm": {"plain": 75.6, "standardized": 75.8},
        "group norm": {"plain": 70.2, "standardized": 76.0},
    },
)

#: ``values[norm][convolution]``: the same four networks fine-tuned on VTAB-1k.
TABLE5 = Published(
    _BIT,
    "Table 5",
    "mean accuracy over the 19 tasks of VTAB-1k, %",
    {
        "batch norm": {"plain": 67.72, "standardized": 66.78},
        "group norm": {"plain": 68.77, "standardized": 70.39},
    },
)

#: ``values[protocol][architecture]["S" | "M" | "L"]``. The R101x1-L entries of the whole-image columns (54.6, 75.6)
#: repeat R101x3-L, a slip in the paper; Fig. 10 draws 43.65 and 65.21.
TABLE6 = Published(
    _BIT,
    "Table 6",
    "accuracy on ObjectNet, %",
    _sml(
        """
        R50x1   30.8 / 35.0 / 37.6 | 35.1 / 41.6 / 42.5 | 51.8 / 56.4 / 59.5 | 58.7 / 64.9 / 66.0
        R101x1  32.2 / 39.2 / 54.6 | 37.4 / 46.1 / 49.1 | 54.2 / 61.3 / 75.6 | 61.1 / 69.4 / 72.4
        R50x3   33.7 / 40.3 / 49.1 | 38.4 / 46.2 / 54.7 | 54.7 / 62.4 / 71.1 | 61.5 / 70.1 / 77.5
        R101x3  34.6 / 44.3 / 54.6 | 40.2 / 50.5 / 60.4 | 56.4 / 66.4 / 75.6 | 63.4 / 73.6 / 82.5
        R152x4  36.0 / 47.0 / 58.7 | 41.6 / 52.8 / 63.8 | 57.0 / 69.0 / 80.0 | 64.4 / 76.0 / 85.1
        """,
        ("top-1, whole image", "top-1, object's box", "top-5, whole image", "top-5, object's box"),
    ),
)

#: ``values[data set][upstream] = (all test images, without near-duplicates, images removed)``.
TABLE7 = Published(
    _BIT,
    "Table 7",
    f"{_TOP1}, on the whole test set and without near-duplicates of upstream images; number of duplicates",
    {
        name: {
            upstream: (numbers[3 * i], numbers[3 * i + 1], int(numbers[3 * i + 2]))
            for i, upstream in enumerate(("JFT-300M", "ImageNet-21k", "ILSVRC-2012"))
        }
        for name, numbers in _rows(
            """
            ILSVRC-2012  87.8 / 87.9 / 6470 | 84.5 / 85.3 / 3834 | 80.3 / 81.3 / 879
            CIFAR-10     99.4 / 99.3 / 435  | 98.5 / 98.4 / 687  | 97.2 / 97.2 / 82
            CIFAR-100    93.6 / 93.4 / 491  | 91.2 / 90.7 / 890  | 85.3 / 85.2 / 136
            Pets         96.8 / 96.4 / 600  | 94.6 / 94.5 / 80   | 93.7 / 93.6 / 58
            Flowers      99.7 / 99.7 / 412  | 99.5 / 99.5 / 335  | 91.0 / 91.0 / 0
            """
        ).items()
    },
)

#: ``values[data set][examples per class]`` of a ResNet-50 pre-trained on ILSVRC-2012; ``"full"`` is the bar beside.
FIG1_R50 = Published(
    _BIT,
    "Fig. 1, read off",
    _TOP1,
    {
        "ILSVRC-2012": {1: 14.7, 5: 23.6, 10: 29.5, 25: 65.7, 100: 68.4, "full": 76.70},
        "CIFAR-10": {25: 79.0, 100: 87.2, "full": 96.28},
        "CIFAR-100": {1: 22.4, 5: 48.2, 10: 55.1, 25: 59.6, 100: 62.1, "full": 82.22},
        "Pets": {"full": 93.26},
        "Flowers": {"full": 91.31},
    },
)

#: ``values[data set][examples per class] = median`` of 5 random subsets, BiT-L R152x4.
FIG2_BIT_L = Published(
    _BIT,
    "Fig. 2 (left), read off",
    f"{_TOP1}, median of 5 random subsets",
    {
        name: dict(zip((1, 5, 10, 25, 100), numbers, strict=True))
        for name, numbers in _rows(
            """
            ILSVRC-2012  50.18 72.32 76.82 81.20 84.13
            CIFAR-10     66.31 94.03 97.41 97.66 98.23
            CIFAR-100    40.07 78.15 83.99 87.10 90.71
            """
        ).items()
    },
)

#: ``values[examples per class] = (lowest, highest)`` of the same five runs on CIFAR-10.
FIG2_BIT_L_CIFAR10_RANGE = Published(
    _BIT, "Fig. 2 (left), read off", _TOP1, {1: (53.6, 76.0), 5: (91.1, 95.8), 10: (97.1, 97.5)}
)

#: ``values[data set][method][labels per class]``: semi-supervised systems that BiT quotes beside its own curve.
FIG2_SEMI = Published(
    _BIT,
    "Fig. 2 (right), read off",
    _TOP1,
    {
        "ILSVRC-2012": {
            "CPC v2": {13: 52.7, 26: 60.4, 64: 68.1, 128: 73.1, 256: 76.7},
            "S4L MOAM": {128: 73.21},
        },
        "CIFAR-10": {
            "MT+fSWA": {100: 92.5, 200: 93.7, 400: 94.2},
            "Π+fSWA": {100: 92.0, 200: 93.5, 400: 94.5},
            "ReMixMatch": {25: 93.73, 100: 94.27, 400: 94.86},
        },
        "CIFAR-100": {"MT+fSWA": {100: 72.0}, "Π+fSWA": {100: 65.75}, "MixMatch": {100: 74.12}},
    },
)

#: ``values[system][group]`` with the groups all, natural, specialized, structured.
FIG3 = Published(
    _BIT,
    "Fig. 3, read off",
    "mean accuracy over VTAB-1k tasks, %",
    {
        name: dict(zip(("all", "natural", "specialized", "structured"), numbers, strict=True))
        for name, numbers in _rows(
            """
            BiT-L           76.21 85.53 86.85 62.73
            VIVI-Ex-100%    70.53 72.20 84.14 62.27
            Sup-Rot-100%    67.50 73.09 83.25 54.83
            Sup-Ex-100%     67.00 73.04 82.45 53.86
            """
        ).items()
    },
)

#: ``values[network] = (top-1, top-5)`` on ObjectNet, whole image, which BiT takes from the ObjectNet paper.
FIG4_BASELINES = Published(
    _BIT,
    "Figs. 4 and 10, read off",
    "accuracy on ObjectNet, %",
    {
        "ResNet-152": (29.3, 49.3),
        "Inception-v4": (31.1, 51.3),
        "NASNet-A": (34.9, 56.4),
        "PNASNet-5L": (34.9, 55.1),
    },
)

#: ``values[data set][architecture]["S" | "M" | "L"]``; L is trained on all of JFT-300M, duplicates included.
FIG5 = Published(
    _BIT,
    "Fig. 5, read off",
    _TOP1,
    _sml(
        """
        R50x1   76.8 / 80.0 / 79.0 | 93.1 / 92.6 / 93.9 | 82.4 / 86.9 / 86.1
        R101x1  78.0 / 82.3 / 81.6 | 93.8 / 93.6 / 95.0 | 83.5 / 88.7 / 88.5
        R50x3   80.0 / 84.1 / 84.9 | 93.7 / 94.1 / 96.2 | 85.1 / 90.2 / 91.3
        R101x3  80.3 / 84.5 / 86.3 | 93.7 / 94.6 / 96.3 | 85.3 / 91.3 / 92.5
        R152x4  81.3 / 85.4 / 87.8 | 94.0 / 94.5 / 96.8 | 86.2 / 92.2 / 93.6
        """,
        ("ILSVRC-2012", "Pets", "CIFAR-100"),
    ),
)

_FIG6 = _sml(
    """
    R50x1   16.6 / 18.7 / 26.4 | 31.5 / 49.6 / 51.6 | 44.4 / 52.8 / 50.7 | 72.8 / 83.0 / 83.5
    R101x1  17.1 / 28.4 / 32.4 | 34.7 / 60.5 / 58.1 | 48.8 / 52.6 / 58.9 | 74.5 / 86.5 / 89.1
    R50x3   13.7 / 20.4 / 37.7 | 41.5 / 60.5 / 64.0 | 46.2 / 52.3 / 61.3 | 75.0 / 85.5 / 93.0
    R101x3  12.5 / 22.3 / 43.1 | 44.5 / 63.6 / 68.1 | 46.8 / 54.0 / 62.5 | 75.6 / 83.6 / 93.4
    R152x4  15.4 / 30.7 / 50.1 | 53.0 / 71.7 / 72.4 | 42.0 / 50.8 / 64.6 | 75.4 / 86.4 / 95.2
    """,
    (("ilsvrc2012", 1), ("ilsvrc2012", 5), ("cifar10", 1), ("cifar10", 5)),
)

#: ``values["cifar10" | "ilsvrc2012"][1 | 5][architecture]["S" | "M" | "L"]``.
FIG6_MEDIANS = Published(
    _BIT,
    "Fig. 6, read off",
    f"{_TOP1}, median of 5 random subsets",
    {data: {shots: _FIG6[data, shots] for shots in (1, 5)} for data in ("cifar10", "ilsvrc2012")},
)

#: ``values[1 | 5]["S" | "M" | "L"]``: all five runs of R50x3 on CIFAR-10, sorted.
FIG6_R50X3_RUNS = Published(
    _BIT,
    "Fig. 6, read off",
    f"{_TOP1}, one number for each random subset",
    {
        1: _rows("S 37.4 45.4 46.2 46.7 47.2 \n M 47.8 49.9 52.3 52.6 58.5 \n L 53.0 60.1 61.3 65.7 73.2"),
        5: _rows("S 71.7 72.4 75.0 75.1 75.6 \n M 81.8 83.8 85.5 86.9 87.6 \n L 90.2 92.1 93.0 93.1 93.3"),
    },
)

#: ``values[1 | 5]``: five runs of BiT-M-R50x3 on CIFAR-10 by another hand (batch 512, learning rate 0.001, 100 steps).
COURSE_REPORT_R50X3 = Published(
    "cicorias",
    "src/README.xtra-credit.md",
    f"{_TOP1}, one number for each random subset",
    {1: [48.34, 54.17, 58.01, 58.83, 62.96], 5: [82.69, 83.98, 84.61, 86.21, 87.54]},
)

# ---- README of the official code -----------------------------------------------------------------------------------


def _few_shot(text: str, frameworks: tuple[str, ...]) -> dict:
    """Read README rows, ``data set-shots min median max ...``; a single number is a full-data row's median."""
    table: dict = {"cifar10": {}, "cifar100": {}}
    for line in text.strip().splitlines():
        name, *cells = (cell.split() for cell in line.split("|"))
        data, shots = name[0].split("-")
        triples = [(None, float(c[0]), None) if len(c) == 1 else tuple(float(x) for x in c) for c in cells]
        table[data]["full" if shots == "full" else int(shots)] = dict(zip(frameworks, triples, strict=True))
    return table


#: ``values[architecture]["cifar10" | "cifar100"][1 | 5 | "full"]["tf2" | "jax" | "pytorch"] = (min, median, max)`` of
#: at least five runs of BiT-M; min and max are None where the README gives one number. R152x2 has no TF2 runs.
OFFICIAL_FEW_SHOT = Published(
    "google2021bitcode",
    "README, CIFAR table",
    f"{_TOP1}; batch 128, learning rate 0.001",
    {
        "R101x3": _few_shot(
            """
            cifar10-1     | 52.5 55.8 60.2 | 48.7 53.9 65.0 | 56.4 56.7 73.1
            cifar10-5     | 85.3 87.2 89.1 | 80.2 85.8 88.6 | 84.8 85.8 89.6
            cifar10-full  | 98.5           | 98.4           | 98.5 98.6 98.6
            cifar100-1    | 34.8 35.7 37.9 | 32.1 35.0 37.1 | 31.6 33.8 36.9
            cifar100-5    | 68.8 70.4 71.4 | 68.6 70.8 71.6 | 70.6 71.6 71.7
            cifar100-full | 90.8           | 91.2           | 91.1 91.2 91.4
            """,
            ("tf2", "jax", "pytorch"),
        ),
        "R152x2": _few_shot(
            """
            cifar10-1     | 44.0 56.7 65.0 | 50.9 55.5 59.5
            cifar10-5     | 85.3 87.0 88.2 | 85.3 85.8 88.6
            cifar10-full  | 98.5           | 98.5 98.5 98.6
            cifar100-1    | 36.4 37.2 38.9 | 34.3 36.8 39.0
            cifar100-5    | 69.3 70.5 72.0 | 70.3 72.0 72.3
            cifar100-full | 91.2           | 91.2 91.3 91.4
            """,
            ("jax", "pytorch"),
        ),
        "R50x1": _few_shot(
            """
            cifar10-1     | 49.9 54.4 60.2 | 48.4 54.1 66.1 | 45.8 57.9 65.7
            cifar10-5     | 80.8 83.3 85.5 | 76.7 82.4 85.4 | 80.3 82.3 84.9
            cifar10-full  | 97.2           | 97.3           | 97.4
            cifar100-1    | 35.3 37.1 38.2 | 32.0 35.2 37.8 | 34.6 35.2 38.6
            cifar100-5    | 63.8 65.0 66.5 | 63.4 64.8 66.5 | 64.7 65.5 66.0
            cifar100-full | 86.5           | 86.4           | 86.6
            """,
            ("tf2", "jax", "pytorch"),
        ),
    },
)

#: ``values[architecture][1 | 5 | "full"]`` for BiT-M on ILSVRC-2012; the README has no full-data number for R101x3.
OFFICIAL_ILSVRC = Published(
    "google2021bitcode",
    "README, ImageNet table",
    _TOP1,
    {
        "R50x1": {1: 18.36, 5: 50.64, "full": 80.68},
        "R152x2": {1: 24.5, 5: 64.5, "full": 85.15},
        "R101x3": {1: 25.55, 5: 64.18},
    },
)


# ---- Transfer and detection -----------------------------------------------------------------------------------------

#: ``values["random" | "man-made"][frozen layers]``: ILSVRC classes split at random (points gained or lost against a
#: network trained on the target half alone, recomputed from the authors' training logs) and by kind (accuracy on the
#: man-made half, features from the natural half; 0 layers is the base network; printed in the authors' notebook).
YOSINSKI = Published(
    "yosinski2014code",
    "training logs; notebook",
    "points of top-1 accuracy; top-1 accuracy, %",
    {
        "random": dict(zip(range(1, 8), (0.3, -0.1, -0.6, -2.5, -4.7, -4.5, -8.3), strict=True)),
        "same": dict(zip(range(1, 8), (0.2, -0.2, -0.4, -2.0, -3.2, -0.6, -0.2), strict=True)),
        "man-made": dict(zip(range(8), (53.7, 53.9, 52.1, 50.1, 46.2, 41.0, 37.4, 29.1), strict=True)),
    },
)

#: ``values[loss] = AP`` of a ResNet-50 RetinaNet at 600 pixels on COCO minival.
FOCAL_LOSS = Published(
    "lin2017focal",
    "Table 1",
    "box AP on COCO minival, %",
    {"cross-entropy": 30.2, "weighted": 31.1, "γ = 0.5": 32.9, "γ = 1": 33.7, "γ = 2": 34.0, "γ = 5": 32.2},
)

# ---- mixup (Zhang et al. 2018) -------------------------------------------------------------------------------------

_MIXUP = "zhang2018mixup"

#: ``values[network][epochs] = (without, with mixup)``; at 90 epochs the ResNets without mixup are Goyal et al.'s.
MIXUP_ILSVRC = Published(
    _MIXUP,
    "Table 1 of arXiv version 1",
    "top-1 error on ILSVRC-2012, %",
    {
        "ResNet-50": {90: (23.5, 23.3), 200: (23.6, 22.1)},
        "ResNet-101": {90: (22.1, 21.5), 200: (22.0, 20.8)},
        "ResNeXt-101 32x4d": {90: (21.2, 20.7), 200: (21.3, 20.1)},
    },
)

#: ``values[data set][network] = (without, with mixup)``. Version 1 on arXiv prints 3.9 where the conference version
#: prints 4.2 for ResNet-18 on CIFAR-10; the authors' repository gets 4.24.
MIXUP_CIFAR = Published(
    _MIXUP,
    "Fig. 3a of arXiv version 1; 4.2 from the conference version",
    "test error, %",
    {
        "cifar10": {"pre-activation ResNet-18": (5.6, 4.2), "WRN-28-10": (3.8, 2.7), "DenseNet-BC-190": (3.7, 2.7)},
        "cifar100": {
            "pre-activation ResNet-18": (25.6, 21.1),
            "WRN-28-10": (19.4, 17.5),
            "DenseNet-BC-190": (19.0, 16.8),
        },
    },
)

#: ``values[network] = (without, with alpha 0.1, with alpha 0.2)``, Google's speech commands.
MIXUP_SPEECH = Published(
    _MIXUP,
    "speech experiments of arXiv version 1",
    "test error, %",
    {"VGG-11": (4.6, 3.8, 3.4), "LeNet": (10.3, 10.8, 11.3)},
)

#: ``values[share of random labels, %][method] = (best epoch, last epoch)``, pre-activation ResNet-18 on CIFAR-10.
MIXUP_CORRUPTED = Published(
    _MIXUP,
    "Table 2 of arXiv version 1",
    "test error on CIFAR-10, %",
    {
        20: {"plain": (12.7, 16.6), "dropout": (8.8, 10.4), "mixup": (5.9, 6.4)},
        50: {"plain": (18.8, 44.6), "dropout": (14.1, 15.5), "mixup": (11.3, 12.7)},
        80: {"plain": (36.5, 73.9), "dropout": (30.9, 35.1), "mixup": (25.3, 30.9)},
    },
)

#: ``values[box][attack] = (without, with mixup)``, ResNet-101; white box: the attacker sees the network's gradients.
MIXUP_ADVERSARIAL = Published(
    _MIXUP,
    "Table 3 of arXiv version 1",
    "top-1 error on attacked ILSVRC-2012 images, %",
    {
        "white": {"FGSM": (90.7, 75.2), "I-FGSM": (99.9, 99.6)},
        "black": {"FGSM": (57.0, 46.0), "I-FGSM": (57.3, 40.9)},
    },
)

#: ``values[method]``, ResNet-50; the CutMix authors' own runs of the rivals.
CUTMIX_ILSVRC = Published(
    "yun2019cutmix",
    "README of the official code",
    "top-1 error on ILSVRC-2012, %",
    {"baseline": 23.68, "mixup": 22.58, "Manifold Mixup": 22.50, "CutMix": 21.40},
)

# ---- Residual networks ---------------------------------------------------------------------------------------------

#: ``values[architecture]``: with a 1,000-class head, body included.
TIMM_PARAMETERS = Published(
    "wightman2019timm",
    "results/results-imagenet.csv",
    "million parameters",
    {"R50x1": 25.55, "R50x3": 217.32, "R101x1": 44.54, "R101x3": 387.93, "R152x2": 236.34, "R152x4": 936.53},
)

#: ``values[data set][network] = (v1, v2)``: the same network with the v1 and with the pre-activation block.
RESNET_V2 = Published(
    "he2016identity",
    "Tables 3 and 5; ILSVRC-2012 trained at 224 and tested on one 320-pixel crop",
    "top-1 error, %",
    {
        "CIFAR-10": {"R110": (6.61, 6.37), "R164": (5.93, 5.46), "R1001": (7.61, 4.92)},
        "CIFAR-100": {"R164": (25.16, 24.33), "R1001": (27.82, 22.71)},
        "ILSVRC-2012": {"R152": (21.3, 21.1), "R200": (21.8, 20.7)},
    },
)

#: Stride on the 3x3 convolution of v1's blocks ("v1.5") against stride on the first 1x1.
STRIDE_V15 = Published(
    "nvidia2018resnet50v15",
    "model description: approximate differences",
    "points of top-1 accuracy on ILSVRC-2012; images per second, %",
    {"accuracy": 0.5, "speed": -5},
)

#: ``values[network] = (million parameters, error)``. Only the inner 3x3 of WRN-50-2 is twice as wide.
WIDE_RESNET = Published(
    "zagoruyko2016wide",
    "ImageNet table, one 224-pixel crop",
    "million parameters; top-1 error on ILSVRC-2012, %",
    {"R50": (25.6, 24.01), "R152": (60.2, 22.16), "WRN-50-2": (68.9, 21.9), "R200, pre-activation": (64.7, 21.66)},
)

# ---- Normalization -------------------------------------------------------------------------------------------------

_GN, _GN_UNIT = "wu2018group", "top-1 error on ILSVRC-2012, %"

#: ``values[norm]``: a ResNet-50 with 32 images per GPU.
GN_NORMS = Published(
    _GN,
    "Table 1",
    _GN_UNIT,
    {"batch norm": 23.6, "layer norm": 25.3, "instance norm": 28.4, "group norm": 24.1},
)

#: ``values[norm][images per GPU]``; batch norm's statistics are taken on each GPU by itself.
GN_BATCH_SIZE = Published(
    _GN,
    "Table 2",
    _GN_UNIT,
    {
        "batch norm": {32: 23.6, 16: 23.7, 8: 24.8, 4: 27.3, 2: 34.7},
        "group norm": {32: 24.1, 16: 24.2, 8: 24.0, 4: 24.2, 2: 24.1},
    },
)

#: ``values["groups" | "channels per group"][number]``; one group is layer norm, one channel per group instance norm.
GN_GROUPS = Published(
    _GN,
    "Table 3",
    _GN_UNIT,
    {
        "groups": {64: 24.6, 32: 24.1, 16: 24.6, 8: 24.4, 4: 24.6, 2: 24.7, 1: 25.3},
        "channels per group": {64: 24.4, 32: 24.5, 16: 24.2, 8: 24.3, 4: 24.8, 2: 25.6, 1: 28.4},
    },
)

#: ``values[norm][images per GPU]`` for a ResNet-101.
GN_R101 = Published(
    _GN,
    "text",
    _GN_UNIT,
    {"batch norm": {32: 22.0, 2: 31.9}, "group norm": {32: 22.4, 2: 23.0}},
)

#: ``values[network][norm]``: weight standardization's authors, 90 to 100 epochs on ILSVRC-2012.
WS_ILSVRC = Published(
    "qiao2019wscode",
    "chart of top-1 accuracies, read off; the GN + WS bar agrees with the README",
    _TOP1,
    {"R50": {"group norm": 75.20, "batch norm": 75.70, "group norm, standardized": 76.28}},
)

#: ``values[images a mean is taken over]``: batch norm in Inception-v3, where 50 workers hold 32 images each.
RENORM_MICRO_BATCH = Published("ioffe2017renorm", "text", "top-1 accuracy on ILSVRC-2012, %", {32: 78.3, 4: 74.2})
