"""Class folders full of made pictures."""

import numpy as np
from PIL import Image


def make_folders(root, classes=("cat", "dog"), per_class=3, size=(8, 8), suffix="png", seed=0):
    rng = np.random.default_rng(seed)
    for split in ("train", "test"):
        for kind in classes:
            (root / split / kind).mkdir(parents=True)
            for i in range(per_class):
                pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / kind / f"{i}.{suffix}")
