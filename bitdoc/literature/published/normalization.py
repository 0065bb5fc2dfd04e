"""What papers print about normalization."""

from __future__ import annotations

from bitdoc.literature.published.quote import Published

_TOP1 = "top-1 accuracy, %"
_GN, _GN_UNIT = "wu2018group", "top-1 error on ILSVRC-2012, %"

#: ``values[network]``: Inception, with batch norm alone, and with batch norm, five times the learning rate and the
#: changes of Sec. 4.2.1 (no dropout, less decay, weaker distortions, and more), which the paper calls 14 times fewer.
BN_STEPS = Published(
    "ioffe2015batch",
    "Fig. 3",
    "million steps to the 72.2% accuracy on ILSVRC-2012 that Inception reaches",
    {"Inception": 31.0, "batch norm": 13.3, "batch norm and more": 2.1},
)

#: ``values``: what batch norm costs a Mask R-CNN whose statistics are updated in fine-tuning at 2 images on a GPU.
BN_UNFROZEN = Published("wu2018group", "text", "points of box AP lost against frozen statistics, about", 6)

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
