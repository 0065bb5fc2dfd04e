"""Class folders full of made pictures."""

import numpy as np
from PIL import Image, ImageDraw


def make_folders(root, classes=("cat", "dog"), per_class=3, size=(8, 8), suffix="png", seed=0):
    rng = np.random.default_rng(seed)
    for split in ("train", "test"):
        for kind in classes:
            (root / split / kind).mkdir(parents=True)
            for i in range(per_class):
                pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / kind / f"{i}.{suffix}")


SHAPES = ("circle", "cross", "square", "stripes", "triangle")
FORMATS = ("jpg", "png", "bmp", "ppm", "webp", "gif", "tif", "jpeg")


def drawn(shape, rng, size=(96, 72)):
    """A shape of some color at some place on a ground of some other, with noise over all of it."""
    width, height = size
    ground, color = (tuple(int(x) for x in rng.integers(*span, 3)) for span in ((0, 110), (140, 256)))
    picture = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(picture)
    r = int(rng.integers(height // 5, height // 3))
    x, y = int(rng.integers(r, width - r)), int(rng.integers(r, height - r))
    if shape == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=color)
    elif shape == "square":
        draw.rectangle((x - r, y - r, x + r, y + r), fill=color)
    elif shape == "triangle":
        draw.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=color)
    elif shape == "cross":
        draw.line((x - r, y - r, x + r, y + r), fill=color, width=r // 3)
        draw.line((x - r, y + r, x + r, y - r), fill=color, width=r // 3)
    else:
        for left in range(x - r, x + r, max(4, r // 2)):
            draw.line((left, y - r, left, y + r), fill=color, width=3)
    noisy = np.asarray(picture) + rng.normal(0, 12, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def make_pictures(root, per_class=40, classes=SHAPES, seed=0, formats=FORMATS):
    """``root/<shape>/<number>.<format>``: what a user's folder looks like."""
    rng = np.random.default_rng(seed)
    for shape in classes:
        (root / shape).mkdir(parents=True)
        for i in range(per_class):
            size = tuple(int(x) for x in rng.integers(80, 140, 2))
            drawn(shape, rng, size).save(root / shape / f"{i:03d}.{formats[i % len(formats)]}")
    return root
