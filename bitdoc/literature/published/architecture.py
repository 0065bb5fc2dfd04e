"""What papers print about residual networks and their blocks."""

from __future__ import annotations

from bitdoc.literature.published.quote import Published

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
