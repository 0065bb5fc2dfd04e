"""What the BiT paper prints (Kolesnikov et al. 2020)."""

from __future__ import annotations

from bitdoc.literature.published.quote import Published, by_upstream_size, rows

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
        for name, numbers in rows(
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
    by_upstream_size(
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
        for name, numbers in rows(
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
        for name, numbers in rows(
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
        for name, numbers in rows(
            """
            BiT-L           76.21 85.53 86.85 62.73
            VIVI-Ex-100%    70.53 72.20 84.14 62.27
            Sup-Rot-100%    67.50 73.09 83.25 54.83
            Sup-Ex-100%     67.00 73.04 82.45 53.86
            """
        ).items()
    },
)

#: ``values[network] = (top-1, top-5)`` on ObjectNet, whole image, which BiT takes from the ObjectNet paper; the last is
#: BiT's own, and named so in the legends.
FIG4_BASELINES = Published(
    _BIT,
    "Figs. 4 and 10, read off",
    "accuracy on ObjectNet, %",
    {
        "ResNet-152": (29.3, 49.3),
        "Inception-v4": (31.1, 51.3),
        "NASNet-A": (34.9, 56.4),
        "PNASNet-5L": (34.9, 55.1),
        "Baseline (ILSVRC-2012)": (26.7, 46.2),
    },
)

#: ``values[data set][architecture]["S" | "M" | "L"]``; L is trained on all of JFT-300M, duplicates included.
FIG5 = Published(
    _BIT,
    "Fig. 5, read off",
    _TOP1,
    by_upstream_size(
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

_FIG6 = by_upstream_size(
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
        1: rows("S 37.4 45.4 46.2 46.7 47.2 \n M 47.8 49.9 52.3 52.6 58.5 \n L 53.0 60.1 61.3 65.7 73.2"),
        5: rows("S 71.7 72.4 75.0 75.1 75.6 \n M 81.8 83.8 85.5 86.9 87.6 \n L 90.2 92.1 93.0 93.1 93.3"),
    },
)

#: ``values[1 | 5]``: five runs of BiT-M-R50x3 on CIFAR-10 by another hand (batch 512, learning rate 0.001, 100 steps).
COURSE_REPORT_R50X3 = Published(
    "cicorias",
    "src/README.xtra-credit.md",
    f"{_TOP1}, one number for each random subset",
    {1: [48.34, 54.17, 58.01, 58.83, 62.96], 5: [82.69, 83.98, 84.61, 86.21, 87.54]},
)
