"""What the papers on mixup and CutMix print."""

from __future__ import annotations

from bitdoc.literature.published.quote import Published

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

#: ``values[data set][network] = (without, with mixup)``.
MIXUP_CIFAR = Published(
    _MIXUP,
    "Fig. 3a of arXiv version 1",
    "test error, %",
    {
        "cifar10": {"pre-activation ResNet-18": (5.6, 3.9), "WRN-28-10": (3.8, 2.7), "DenseNet-BC-190": (3.7, 2.7)},
        "cifar100": {
            "pre-activation ResNet-18": (25.6, 21.1),
            "WRN-28-10": (19.4, 17.5),
            "DenseNet-BC-190": (19.0, 16.8),
        },
    },
)

#: ``values[weight decay] = (without, with mixup)``, pre-activation ResNet-18, 200 passes, median of the last ten.
MIXUP_CIFAR_CODE = Published(
    "zhang2018mixupcode",
    "README of the official code",
    "test error on CIFAR-10, %",
    {1e-4: (5.53, 4.24), 5e-4: (5.18, 4.68)},
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
