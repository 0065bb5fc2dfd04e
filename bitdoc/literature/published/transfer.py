"""What is published about when transfer pays, and about how transferable the layers of a network are."""

from __future__ import annotations

from bitdoc.literature.published.quote import Published

#: ``values["random" | "same" | "man-made"][frozen layers]``: ILSVRC classes split at random (points gained or lost
#: against a network trained on the target half alone, recomputed from the authors' training logs; "same": layers from
#: that very network, against the networks they come from) and by kind (accuracy on the man-made half, features from the
#: natural half; 0 layers is the base network; printed in the authors' notebook).
YOSINSKI = Published(
    "yosinski2014code",
    "training logs; notebook",
    "points of top-1 accuracy; top-1 accuracy, %",
    {
        "random": dict(zip(range(1, 8), (0.3, -0.1, -0.6, -2.5, -4.7, -4.5, -8.3), strict=True)),
        "same": dict(zip(range(1, 8), (0.35, 0.03, -0.21, -1.85, -2.97, -0.45, 0.0), strict=True)),
        "man-made": dict(zip(range(8), (53.7, 53.9, 52.1, 50.1, 46.2, 41.0, 37.4, 29.1), strict=True)),
    },
)

#: ``values[group of tasks][start, images] = accuracies``: a ResNet-50 fine-tuned from random weights or from all of
#: ILSVRC-2012 ("Sup-100%"), on 1,000 images of a task ("few") or its whole training set ("all"). Tasks, in order:
#: Caltech101, CIFAR-100, DTD, Flowers102, Pets, SVHN, Sun397; Camelyon, EuroSAT, Resisc45, Retinopathy; CLEVR count and
#: distance, DMLab, KITTI distance, dSprites location and orientation, small NORB azimuth and elevation.
VTAB_START = Published(
    "google2020vtab",
    "docs/data/results.csv, rows From-Scratch and Sup-100%",
    "top-1 accuracy, %",
    {
        "natural": {
            ("random", "few"): (38.24, 13.17, 20.58, 40.22, 12.06, 66.07, 5.02),
            ("ImageNet", "few"): (90.95, 57.03, 66.01, 88.61, 89.87, 87.32, 34.41),
            ("random", "all"): (55.89, 64.44, 31.30, 50.60, 23.79, 96.34, 52.71),
            ("ImageNet", "all"): (94.11, 83.82, 74.04, 93.21, 91.95, 96.97, 70.75),
        },
        "specialized": {
            ("random", "few"): (75.62, 84.95, 42.63, 72.57),
            ("ImageNet", "few"): (80.61, 95.31, 80.84, 73.20),
            ("random", "all"): (81.19, 96.21, 86.80, 76.83),
            ("ImageNet", "all"): (83.93, 98.76, 95.33, 79.26),
        },
        "structured": {
            ("random", "few"): (38.85, 55.19, 26.56, 42.71, 78.43, 39.15, 30.08, 37.61),
            ("ImageNet", "few"): (40.96, 56.11, 36.29, 70.57, 85.73, 45.96, 45.74, 35.44),
            ("random", "all"): (99.72, 89.39, 71.54, 68.40, 100.00, 96.33, 99.88, 91.73),
            ("ImageNet", "all"): (99.82, 92.09, 76.43, 80.70, 100.00, 96.45, 99.79, 97.66),
        },
    },
)
