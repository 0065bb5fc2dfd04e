"""What the few-shot learner in the page works with: pictures of CIFAR-10, and features of two networks for them.

``python -m bitdoc.studies.fewshot.ten_pictures`` makes :data:`FILE` anew, which new weights ask for. The file holds a
sheet of small pictures and, for each, the pooled features of the shipped network and of the same network with random
weights, as 8-bit numbers: square roots, because most features are near 0 and few are large. Each feature has its own
scale, which is not kept: the probe (:mod:`bitdoc.studies.probe`) gives every feature mean 0 and spread 1 over its
training pictures, whatever its scale.

The pictures to learn from are drawn by a hash. The 200 test pictures stand for all 10,000: the pictures of a class are
sorted by how clearly the shipped network's probe names them, and each 50th is taken.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bitdoc import data
from bitdoc.network import weights
from bitdoc.records.files import written_atomically
from bitdoc.studies.fewshot.which_runs import SEEDS, SHIPPED
from bitdoc.studies.probe import PENALTY, features, fit
from bitdoc.training import command
from bitdoc.training.engine import Engine
from bitdoc.training.finetune import starting_network

#: Where the pictures and features are kept.
FILE = Path(__file__).with_suffix(".npz")
#: Pictures of each class to learn from, and to be judged by.
POOL, JUDGED = 20, 20
#: Pictures of each class in the largest deal; the probe that sorts the test pictures learns from as many.
SHOTS = 10
#: Of the pool: none of the records' subsets. The random network is that of seed 0.
POOL_SEED, NETWORK_SEED = 23, 0
#: Pixels of an enlarged picture's side, and how it is enlarged: the probe's setting in the records.
SIDE, INTERPOLATION = 64, "bicubic"
#: Pixels of a picture's side on the sheet, and pictures in a row of it.
SMALL, COLUMNS = 32, 20
NETWORKS = ("miniature", "random")
#: What the file says of the choices above.
SETTING: dict[str, Any] = {
    "model": SHIPPED,
    "pool": POOL,
    "judged": JUDGED,
    "pool_seed": POOL_SEED,
    "network_seed": NETWORK_SEED,
    "crop": SIDE,
    "interpolation": INTERPOLATION,
    "penalty": PENALTY,
}


@dataclass(frozen=True)
class TenPictures:
    """The content of :data:`FILE`.

    Attributes
    ----------
    sheet : bytes
        JPEG: 20 pictures in a row, first the pool by class, then the test pictures by class, hardest first.
    miniature, random : ndarray
        ``(pool + test, 1024)`` uint8, square roots of features in the order of the sheet.
    about : dict
        Model, digest of its weights, settings, which pictures, and digests of the three above.
    """

    sheet: bytes
    miniature: np.ndarray
    random: np.ndarray
    about: dict[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.about["classes"])

    @property
    def labels(self) -> np.ndarray:
        """Class of each picture, in the order of the sheet."""
        every = np.arange(len(self.classes))
        return np.concatenate([every.repeat(self.about["pool"]), every.repeat(self.about["judged"])])

    def features(self, network: str) -> Tensor:
        """Features ``(N, 1024)`` of ``"miniature"`` or ``"random"``, each on its own scale."""
        return torch.from_numpy(getattr(self, network)).float().square()

    def pictures(self) -> np.ndarray:
        """The pictures as ``(N, 32, 32, 3)`` uint8."""
        sheet = np.asarray(Image.open(io.BytesIO(self.sheet)).convert("RGB"))
        rows = len(sheet) // SMALL
        cut = sheet.reshape(rows, SMALL, COLUMNS, SMALL, 3).swapaxes(1, 2)
        return cut.reshape(rows * COLUMNS, SMALL, SMALL, 3)


def read(path: Path = FILE) -> TenPictures:
    """Read the file."""
    with np.load(path, allow_pickle=False) as file:
        about = json.loads(file["about"].tobytes())
        return TenPictures(file["sheet"].tobytes(), file["miniature"], file["random"], about)


def digests(pictures: TenPictures) -> dict[str, str]:
    """SHA-256 of the sheet and of each network's features."""
    parts = {"sheet": pictures.sheet} | {name: getattr(pictures, name).tobytes() for name in NETWORKS}
    return {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()}


def write(pictures: TenPictures, path: Path = FILE) -> None:
    """Write the file whole or not at all; the same content gives the same bytes."""
    text = json.dumps(pictures.about | {"digests": digests(pictures)}, sort_keys=True)
    arrays: dict[str, Any] = {name: getattr(pictures, name) for name in NETWORKS}
    arrays |= {"sheet": np.frombuffer(pictures.sheet, np.uint8), "about": np.frombuffer(text.encode(), np.uint8)}
    with written_atomically(path) as file:
        np.savez(file, **arrays)


def probabilities(few: Tensor, labels: Tensor, others: Tensor, penalty: float = PENALTY) -> Tensor:
    """Probabilities ``(M, classes)`` that the probe, fitted to ``few`` ``(N, D)``, gives for ``others`` ``(M, D)``."""
    mean, spread = few.mean(0), few.std(0, correction=0) + 1e-6
    head = fit((few - mean) / spread, labels, int(labels.max()) + 1, penalty)
    with torch.no_grad():
        return head((others - mean) / spread).softmax(1)


def margins(found: Tensor, labels: Tensor) -> Tensor:
    """Probability of the right class minus the largest of the others: above 0 where a picture is named rightly."""
    right = labels[:, None]
    return found.gather(1, right)[:, 0] - found.scatter(1, right, -1.0).amax(1)


def evenly(clear: Tensor, labels: Tensor, count: int = JUDGED) -> Tensor:
    """Indices of ``count`` pictures of each class, evenly spaced from the least to the most clear.

    Parameters
    ----------
    clear : Tensor
        ``(N,)`` how clearly each picture is named.
    labels : Tensor
        ``(N,)`` classes.
    """
    chosen = []
    for label in labels.unique():
        members = torch.nonzero(labels == label).flatten()
        ranked = members[clear[members].argsort(stable=True)]
        places = ((torch.arange(count) + 0.5) * len(ranked) / count).long()
        chosen.append(ranked[places])
    return torch.cat(chosen)


def as_bytes(values: Tensor) -> np.ndarray:
    """Square roots of features ``(N, D)``, each from its smallest value (0) to its largest (255)."""
    low = values.amin(0)
    reach = (values.amax(0) - low).clamp_min(1e-12)
    return (((values - low) / reach).sqrt() * 255).round().byte().numpy()


def sheet_of(pixels: Tensor) -> bytes:
    """Pictures ``(N, 3, 32, 32)`` uint8 on one JPEG, 20 in a row; its blocks end where pictures end."""
    rows = len(pixels) // COLUMNS
    grid = pixels.reshape(rows, COLUMNS, 3, SMALL, SMALL).permute(0, 3, 1, 4, 2)
    sheet = Image.fromarray(grid.reshape(rows * SMALL, COLUMNS * SMALL, 3).numpy())
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=75, optimize=True)
    return file.getvalue()


def make(datadir: str | None = None) -> TenPictures:
    """Choose the pictures and compute their features; two to ten minutes on one core."""
    engine = Engine()
    train, test = (replace(data.load("cifar10", s, datadir), interpolation=INTERPOLATION) for s in ("train", "test"))
    model, origin = starting_network(SHIPPED, 0, None, NETWORK_SEED)
    everything = features(model, test, SIDE, engine)
    clear = torch.zeros(len(test))
    for seed in SEEDS:
        few = train.subset(data.few_shot_indices(train.labels, SHOTS, seed))
        found = probabilities(features(model, few, SIDE, engine), few.labels, everything)
        clear += margins(found, test.labels)
    judged = evenly(clear, test.labels)
    drawn = data.few_shot_indices(train.labels, POOL, POOL_SEED)
    drawn = drawn[train.labels[drawn].argsort(stable=True)]
    pool, few_test = train.subset(drawn), test.subset(judged)
    assert pool.pixels is not None and few_test.pixels is not None
    sheet = sheet_of(torch.cat([pool.pixels, few_test.pixels]))
    both = [torch.cat([features(model, pool, SIDE, engine), everything[judged]])]
    random, _ = starting_network(SHIPPED.removeprefix("BiT-T-"), 0, None, NETWORK_SEED)
    both.append(torch.cat([features(random, part, SIDE, engine) for part in (pool, few_test)]))
    about = SETTING | {
        "weights_sha256": origin["weights_sha256"],
        "classes": list(train.classes),
        "encoding": train.encoding,
        "pool_indices": drawn.tolist(),
        "test_indices": judged.tolist(),
        "libraries": {"torch": torch.__version__, "numpy": np.__version__},
    }
    return TenPictures(sheet, as_bytes(both[0]), as_bytes(both[1]), about)


def main(arguments: list[str] | None = None) -> int:
    """Make the file anew; with ``--check``, only tell whether it belongs to the weights that ship now."""
    parser = command.Parser(description="Pictures and features for the few-shot learner in the page.")
    where = f"folder with CIFAR-10 (default: {data.DATA_VARIABLE}, else ./data)"
    parser.add_argument("--datadir", type=command.path, help=where)
    parser.add_argument("--check", action="store_true", help="is the file of the weights that ship?")

    def work() -> int:
        flags = parser.parse_args(arguments)
        if not flags.check:
            write(make(flags.datadir))
        known, now = read().about["weights_sha256"], weights.sha256(weights.find(SHIPPED))
        found = "" if known == now else f", but {now[:12]} ships; make it anew"
        print(f"{FILE.name}: features of {SHIPPED} {known[:12]}{found}")
        return int(known != now)

    return command.ended(work, "stopped; the file is as it was")


if __name__ == "__main__":
    raise SystemExit(main())
