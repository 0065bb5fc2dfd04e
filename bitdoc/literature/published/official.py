"""What the README of the official BiT code prints."""

from __future__ import annotations

from bitdoc.literature.published.quote import Published

_TOP1 = "top-1 accuracy, %"


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
