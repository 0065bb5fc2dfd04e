"""Every model in a table or figure of the BiT paper: what it is, its size, its data, and where BiT uses it.

BiT's own rows are put together here from the published numbers; those of other authors are in
:mod:`bitdoc.literature.rivals`. A BiT network's size leaves the head out, as the paper's "928 million parameters" do.
"""

from __future__ import annotations

from functools import cache

from bitdoc.literature import published
from bitdoc.literature.rivals import RIVALS, Model
from bitdoc.network.resnet import count_parameters

#: Architectures of the paper, smallest first.
ARCHITECTURES = ("R50x1", "R101x1", "R50x3", "R101x3", "R152x4")

#: What S, M and L were trained on.
UPSTREAM = {
    "S": "ILSVRC-2012, 1.28M images",
    "M": "ImageNet-21k, 14.2M images",
    "L": "JFT-300M, about 300M images",
}


@cache
def _millions(arch: str, classes: int = 0) -> float:
    return count_parameters(arch, classes) / 1e6


def _bit(upstream: str, arch: str) -> Model:
    fig5, objectnet = published.FIG5.values, published.TABLE6.values["top-5, whole image"][arch][upstream]
    ilsvrc, pets, cifar = (fig5[data][arch][upstream] for data in ("ILSVRC-2012", "Pets", "CIFAR-100"))
    tables, figures = ["6"], ["4", "5", "6", "10"]
    number = f"ILSVRC-2012 {ilsvrc}, CIFAR-100 {cifar}, Pets {pets}"
    if arch == "R152x4":
        tables.insert(0, "1" if upstream == "L" else "2")
        row = {name: cell["BiT-L"][0] for name, cell in published.TABLE1.values.items()}
        row = row if upstream == "L" else published.TABLE2.values[f"BiT-{upstream}"]
        number = ", ".join(f"{name} {accuracy:.2f}" for name, accuracy in row.items())
        ilsvrc = row["ILSVRC-2012"]
    if (upstream, arch) == ("L", "R152x4"):
        tables.append("7")
        figures = ["1", "2", "3", *figures, "8", "9"]
    if arch == "R101x3" and upstream == "L":
        figures.append("7")
    elif arch == "R101x3":
        tables.append("7")  # the paper does not name the network; its accuracies are those of R101x3 in Fig. 5
    if (upstream, arch) == ("L", "R101x1"):
        objectnet = "65.21 (Fig. 10; Table 6 repeats R101x3)"
    return Model(
        f"BiT-{upstream} {arch}",
        "BiT",
        "ResNet v2 with group norm and weight standardization",
        _millions(arch),
        UPSTREAM[upstream],
        f"Table{'s' * (len(tables) > 1)} {', '.join(tables)}; Figs. {', '.join(sorted(figures, key=int))}",
        f"{number}; ObjectNet top-5 {objectnet}",
        ("kolesnikov2020bit",),
        ilsvrc,
    )


def _normalization(norm: str, convolution: str) -> Model:
    scratch, vtab = (table.values[norm][convolution] for table in (published.TABLE4, published.TABLE5))
    return Model(
        f"ResNet-50, {norm}, {'weight standardization' if convolution == 'standardized' else 'plain convolutions'}",
        "normalization",
        "one of four ResNet-50s that differ only in normalization",
        _millions("R50x1", 1000),
        "ILSVRC-2012, 1.28M images",
        "Tables 4, 5",
        f"ILSVRC-2012 {scratch}; VTAB-1k {vtab:.2f}",
        ("kolesnikov2020bit",),
        scratch,
    )


def _detector(upstream: str) -> Model:
    data, ap = published.TABLE3.values[f"BiT-{upstream}"]
    return Model(
        f"RetinaNet on BiT-{upstream} R101x3",
        "detector",
        "one-stage detector with a feature pyramid; the size is the backbone's",
        _millions("R101x3"),
        f"{data}, then COCO-2017",
        "Table 3",
        f"COCO AP {ap}",
        ("kolesnikov2020bit", "lin2017focal"),
    )


@cache
def models() -> tuple[Model, ...]:
    """All models, BiT's own first. The first call counts their parameters, which takes a second or two."""
    return (
        *(_bit(upstream, arch) for upstream in "SML" for arch in ARCHITECTURES),
        *(_normalization(norm, conv) for norm in published.TABLE4.values for conv in ("plain", "standardized")),
        *(_detector(upstream) for upstream in "SML"),
        *RIVALS,
    )
