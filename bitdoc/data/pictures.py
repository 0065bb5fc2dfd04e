"""One picture file: whether it is one, its size from the header, its pixels. Every error names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

#: Endings of the files that are read; of an animation, or of several pages, the first picture counts.
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm", ".webp", ".gif", ".tif", ".tiff"}
)
#: What may stand behind such an ending. Pillow knows more formats, some of which start other programs.
FORMATS = ("JPEG", "PNG", "BMP", "PPM", "WEBP", "GIF", "TIFF")
_KINDS = {"jpe": "JPEG", "jpg": "JPEG", "jfif": "JPEG", "tif": "TIFF", "pgm": "PPM", "pbm": "PPM", "pnm": "PPM"}

_ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = (5, 6, 7, 8)


class DataError(ValueError):
    """A data set that cannot be used, with one line that says what was found and what was expected."""


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture; whatever goes wrong with it, there or inside the block, is a :class:`DataError`."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except Exception as error:  # a damaged file makes Pillow's decoders raise errors of a dozen kinds
        if isinstance(error, UnidentifiedImageError):
            why = f"it holds none of {', '.join(FORMATS)}"
        else:
            why = (getattr(error, "strerror", None) or str(error)).partition("\n")[0] or type(error).__name__
        raise DataError(
            f"{path} cannot be read as an image: {why}; replace it or take it out of the data set"
        ) from error


def size_of(path: Path, turned: bool = False) -> tuple[int, int]:
    """Height and width in pixels, from the header alone; ``turned`` as for :func:`read`."""
    with _opened(path) as image:
        return _height_and_width(image, turned)


def read(path: Path, turned: bool = False, size: tuple[int, int] | None = None) -> np.ndarray | None:
    """Read the pixels of a picture, ``(H, W, 3)`` uint8.

    Grey becomes three equal channels, 16 bits become 8 by scale, and transparency is left out.

    Parameters
    ----------
    turned : bool
        Turn or mirror the picture as its EXIF tag says.
    size : (int, int), optional
        The height and width wanted. A picture whose header tells of another size is not decoded: the result is None.

    Raises
    ------
    DataError
        If the file cannot be read, is too large to be a picture, or holds values whose scale is not known.
    """
    with _opened(path) as image:
        if size is not None and _height_and_width(image, turned) != size:
            return None
        image.load()
        turn = _TURNS.get(_orientation(image)) if turned else None
        pixels = _rgb(image if turn is None else image.transpose(turn))
        if not pixels.size:
            raise ValueError("it has no pixels")
        return pixels


def _height_and_width(image: Image.Image, turned: bool) -> tuple[int, int]:
    on_its_side = turned and _orientation(image) in _ON_ITS_SIDE
    return (image.width, image.height) if on_its_side else (image.height, image.width)


def _orientation(image: Image.Image) -> int:
    """The EXIF tag, 1 (upright) where there is none; a damaged tag is no reason to lose the picture."""
    if image.format == "TIFF":  # Pillow itself turns these, and tells their size as turned
        return 1
    if image.format == "PNG" and "exif" not in image.info:  # to look further, Pillow would decode the whole picture
        return 1
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow reads EXIF like a TIFF file, with as many kinds of errors
        return 1


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode != "F" and not image.mode.startswith("I"):
        return np.asarray(image.convert("RGB"))
    # Shades of grey in more than 8 bits: Pillow would cut them off at 255 and make nearly all of them white.
    values = np.asarray(image)
    bits = getattr(image, "tag_v2", {}).get(258, (16,))[0]  # only TIFF has other depths: scanners make 12 bits
    top = 1 if image.mode == "F" else 4095 if bits == 12 else 65535
    if not (values.min() >= 0 and values.max() <= top):
        raise ValueError(f"its values go from {values.min():g} to {values.max():g}, expected 0 to {top}")
    grey = np.rint(values * (255 / top)).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def kind_of(path: Path) -> str:
    """Name of a format by its ending, as it stands in run records: ``JPEG``, ``PNG``."""
    suffix = path.suffix.lower().lstrip(".")
    return _KINDS.get(suffix, suffix.upper())


def jpeg_quality(path: Path) -> str:
    """`` q75`` for a JPEG whose first quantization step is the one a quality setting of 75 makes, and so on."""
    with _opened(path) as image:
        tables = getattr(image, "quantization", None)
        if not tables:
            return ""
        layers = getattr(image, "layer", None)  # of each component: id, two sampling factors, number of its table
        number = layers[0][3] if layers else 0
        step = tables.get(number, tables[min(tables)])[0]  # 16 at quality 50, scaled by 2 - quality / 50 above it
        return f" q{round(100 - step / 16 * 50)}" if step <= 16 else " below q50"
