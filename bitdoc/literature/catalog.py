"""Every model in a table or figure of the BiT paper: what it is, its size, its data, and where BiT uses it.

BiT's own rows are put together here from the published numbers; those of other authors are in
:mod:`bitdoc.literature.rivals`. A BiT network's size leaves the head out, as the paper's "928 million parameters" do.
"""

from __future__ import annotations

from collections.abc import Iterable
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


#: Families in the order of the table, each with what its members share.
FAMILIES = {
    "BiT": "ResNet v2 with group norm and weight standardization, in five sizes on three data sets",
    "generalist": "pre-trained once for all tasks",
    "specialist": "pre-trained with one task in mind",
    "VTAB": "earlier leaders on VTAB-1k, pre-trained on all of ILSVRC-2012",
    "semi-supervised": "all images of the task, few of its labels",
    "ObjectNet": "trained on ILSVRC-2012 and tested as they are",
    "detector": "RetinaNet",
    "normalization": "one ResNet-50, normalized in four ways",
    "baseline": "the usual ResNet-50",
}


@cache
def _millions(arch: str, classes: int = 0) -> float:
    return count_parameters(arch, classes) / 1e6


def _bit(upstream: str, arch: str) -> Model:
    name, tables, figures = f"BiT-{upstream}", {6}, {4, 5, 6, 10, 14}
    scores = {data: published.FIG5.values[data][arch][upstream] for data in ("ILSVRC-2012", "CIFAR-100", "Pets")}
    scores["ObjectNet"] = published.TABLE6.values["top-5, whole image"][arch][upstream]
    if arch == "R152x4":
        row = {data: cell["BiT-L"][0] for data, cell in published.TABLE1.values.items()}
        scores |= row if upstream == "L" else published.TABLE2.values[name]
        tables.add(1 if upstream == "L" else 2)
    if (upstream, arch) == ("L", "R152x4"):
        tables.add(7)
        figures |= {1, 2, 3, 8, 9, 12, 13, 15}
    if arch == "R101x3" and upstream == "L":
        figures.add(7)
    elif arch == "R101x3":
        tables.add(7)  # the paper does not name the network; its accuracies are those of R101x3 in Fig. 5
    if (upstream, arch) == ("L", "R101x1"):
        scores["ObjectNet"] = 65.21  # from Fig. 10; Table 6 repeats R101x3
    where = f"Table{'s' * (len(tables) > 1)} {_listed(tables)}; Figs. {_listed(figures)}"
    what, cite = UPSTREAM[upstream], ("kolesnikov2020bit",)
    return Model(f"{name} {arch}", "BiT", what, _millions(arch), where, scores, cite, ilsvrc=scores["ILSVRC-2012"])


def _listed(numbers: Iterable[int]) -> str:
    """1, 2, 3 and 5 as "1–3, 5"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def _normalization(norm: str, convolution: str) -> Model:
    scratch, vtab = (table.values[norm][convolution] for table in (published.TABLE4, published.TABLE5))
    return Model(
        f"ResNet-50, {norm}, {'weight standardization' if convolution == 'standardized' else 'plain convolutions'}",
        "normalization",
        UPSTREAM["S"],
        _millions("R50x1", 1000),
        "Tables 4, 5",
        {"ILSVRC-2012": scratch, "VTAB-1k": vtab},
        ("kolesnikov2020bit",),
        ilsvrc=scratch,
    )


def _detector(upstream: str) -> Model:
    data, ap = published.TABLE3.values[f"BiT-{upstream}"]
    return Model(
        f"RetinaNet on BiT-{upstream} R101x3",
        "detector",
        f"{data}, then COCO-2017; the size is the backbone's",
        _millions("R101x3"),
        "Table 3",
        {"COCO": ap},
        ("kolesnikov2020bit", "lin2017focal"),
    )


@cache
def models() -> tuple[Model, ...]:
    """All models, family by family, BiT's own first. The first call counts their parameters, which takes a second."""
    found = (
        *(_bit(upstream, arch) for upstream in "SML" for arch in ARCHITECTURES),
        *(_normalization(norm, conv) for norm in published.TABLE4.values for conv in ("plain", "standardized")),
        *(_detector(upstream) for upstream in "SML"),
        *RIVALS,
    )
    return tuple(sorted(found, key=lambda model: list(FAMILIES).index(model.family)))
