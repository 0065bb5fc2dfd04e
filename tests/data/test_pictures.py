"""Pictures as they are in the world: one row a kind. What can be read is read right, what cannot names its file."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bitdoc import data
from bitdoc.data import pictures

SHAPE = (6, 9)  # height and width, so that a turned picture shows
GREY = np.linspace(0, 255, 54).reshape(SHAPE).astype(np.uint8)
COLOR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], 2)


def saved(path: Path, pixels: np.ndarray, **options) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def pgm(values: np.ndarray, most: int, plain: bool = False) -> bytes:
    head = f"P{2 if plain else 5} {values.shape[1]} {values.shape[0]} {most}\n".encode()
    if plain:
        return head + b" ".join(str(value).encode() for value in values.flat)
    return head + values.astype(">u2" if most > 255 else "u1").tobytes()


def as_bytes(pixels: np.ndarray, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def twelve_bits() -> bytes:
    """A TIFF of one strip of 12-bit grey, two pixels in three bytes; Pillow writes none, scanners do."""
    values = np.pad(GREY.astype(int) * 4095 // 255, ((0, 0), (0, 1)))
    rows = [
        b"".join(bytes((a >> 4, (a & 15) << 4 | b >> 8, b & 255)) for a, b in zip(row[::2], row[1::2], strict=True))
        for row in values
    ]
    packed = b"".join(row[:14] for row in rows)  # a row of nine pixels ends with a whole byte
    tags = [(256, 9), (257, 6), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 6), (279, len(packed))]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + directory + b"\0" * 4


SIXTEEN = GREY.astype(np.uint16) * 257

#: More than 8 bits of grey, in every form in which Pillow hands them out: all are the same picture.
DEEP = {
    "png-16": (".png", as_bytes(SIXTEEN, "PNG")),
    "tiff-16-little-endian": (".tif", as_bytes(SIXTEEN, "TIFF")),
    "tiff-12": (".tiff", twelve_bits()),
    "pgm-16": (".pgm", pgm(SIXTEEN, 65535)),
    "pgm-10": (".pgm", pgm(GREY.astype(int) * 1023 // 255, 1023)),
    "pgm-16-in-text": (".pgm", pgm(SIXTEEN, 65535, plain=True)),
    "tiff-32": (".tif", as_bytes(SIXTEEN.astype(np.int32), "TIFF")),
    "tiff-float": (".tif", as_bytes((GREY / 255).astype(np.float32), "TIFF")),
}


@pytest.mark.parametrize("kind", DEEP)
def test_more_than_eight_bits_are_scaled(tmp_path, kind):
    suffix, content = DEEP[kind]
    path = tmp_path / f"1{suffix}"
    path.write_bytes(content)
    found = pictures.read(path)
    assert found.shape == (*SHAPE, 3) and found.dtype == np.uint8
    assert np.abs(found.astype(int) - GREY[:, :, None]).max() <= 1, "not white, not black"
    assert (found == found[:, :, :1]).all()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.full(SHAPE, 70_000, np.int32), "go from 70000 to 70000, expected 0 to 65535"),
        (np.full(SHAPE, -1, np.int32), "go from -1 to -1, expected 0 to 65535"),
        (np.full(SHAPE, 200, np.float32), "go from 200 to 200, expected 0 to 1"),
        (np.full(SHAPE, np.nan, np.float32), "go from nan to nan, expected 0 to 1"),
    ],
)
def test_values_of_no_known_scale_are_refused(tmp_path, values, told):
    with pytest.raises(data.DataError, match=told) as error:
        pictures.read(saved(tmp_path / "1.tif", values))
    assert str(tmp_path / "1.tif") in str(error.value)


#: Ordinary pictures: read as Pillow reads them, to the last bit.
ORDINARY = {
    "color": (".png", COLOR, {}),
    "grey": (".png", GREY, {}),
    "jpeg": (".jpg", COLOR, {"quality": 75}),
    "jpeg-grey": (".jpg", GREY, {}),
    "jfif": (".jfif", COLOR, {"format": "JPEG"}),
    "jpe": (".JPE", COLOR, {"format": "JPEG"}),
    "gif": (".gif", GREY, {}),
    "tiff": (".TIF", COLOR, {}),
    "pgm": (".pgm", GREY, {}),
    "pnm": (".pnm", COLOR, {}),
    "webp": (".webp", COLOR, {"lossless": True}),
    "bmp": (".bmp", COLOR, {}),
    "two-colors": (".pbm", GREY > 100, {}),
    "transparent": (".png", np.dstack([COLOR, GREY]), {}),
    "grey-and-transparent": (".png", np.dstack([GREY, GREY]), {}),
    "print": (".jpg", np.dstack([COLOR, GREY]), {"mode": "CMYK"}),
    "one-pixel": (".png", COLOR[:1, :1], {}),
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_pictures_are_read_as_they_are(tmp_path, kind):
    suffix, pixels, options = ORDINARY[kind]
    path = tmp_path / f"1{suffix}"
    mode = options.pop("mode", None)
    (Image.frombytes(mode, SHAPE[::-1], pixels.tobytes()) if mode else Image.fromarray(pixels)).save(path, **options)
    assert path.suffix.lower() in pictures.SUFFIXES
    found = pictures.read(path)
    assert np.array_equal(found, np.asarray(Image.open(path).convert("RGB")))
    assert pictures.size_of(path) == found.shape[:2]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tif", ".png"])
def test_of_several_pictures_in_a_file_the_first_counts(tmp_path, suffix):
    frames = [Image.fromarray(np.full((*SHAPE, 3), shade, np.uint8)) for shade in (0, 120, 255)]
    frames[0].save(tmp_path / f"1{suffix}", save_all=True, append_images=frames[1:])
    assert pictures.read(tmp_path / f"1{suffix}").max() < 5


def with_exif(path: Path, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(path, COLOR, exif=exif, **({"quality": 100, "subsampling": 0} if path.suffix == ".jpg" else {}))


#: What the tag means: how the stored rows and columns become the picture.
TURNED = {
    1: COLOR,
    2: COLOR[:, ::-1],
    3: COLOR[::-1, ::-1],
    4: COLOR[::-1],
    5: COLOR.transpose(1, 0, 2),
    6: np.rot90(COLOR, -1),
    7: np.rot90(COLOR, 2).transpose(1, 0, 2),
    8: np.rot90(COLOR),
    9: COLOR,  # no such orientation
}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", TURNED)
def test_a_picture_is_turned_as_the_camera_was_held(tmp_path, suffix, orientation):
    path = with_exif(tmp_path / f"1{suffix}", orientation)
    found = pictures.read(path, turned=True)
    assert found.shape == TURNED[orientation].shape == (*pictures.size_of(path, turned=True), 3)
    near = 0 if suffix in (".png", ".tif") else 12
    assert np.abs(found.astype(int) - TURNED[orientation]).max() <= near + (30 if suffix == ".webp" else 0)


def test_only_the_pictures_of_users_are_turned(tmp_path, monkeypatch):
    """The official code reads the pictures of the known data sets as they are stored."""
    for kind in data.CIFAR10_CLASSES:
        for split in ("train", "test"):
            (tmp_path / split / kind).mkdir(parents=True)
            with_exif(tmp_path / split / kind / "1.png", 6)
    monkeypatch.setitem(data.datasets.IMAGES, "cifar10", {"train": 10, "test": 10})
    assert data.load("cifar10", "train", tmp_path).size == SHAPE
    mine = data.load("folder", "train", tmp_path)
    assert mine.size == SHAPE[::-1] and mine.pixels.shape[-2:] == SHAPE[::-1]
    assert np.array_equal(mine.pixels[0].permute(1, 2, 0).numpy(), TURNED[6])
    saved(tmp_path / "train" / "cat" / "2.png", COLOR)  # now sizes differ, and files are read when they are needed
    mine = data.load("folder", "train", tmp_path)
    assert mine.pixels is None
    assert torch.equal(
        mine.fetch(torch.tensor([0]), 9), data.resize(torch.tensor(TURNED[6].copy()).permute(2, 0, 1)[None], 9)
    )


@pytest.mark.parametrize(
    "damage", [b"Exif\0\0rubbish", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
def test_a_damaged_tag_does_not_lose_the_picture(tmp_path, damage, recwarn):
    path = saved(tmp_path / "1.jpg", COLOR, exif=damage)
    assert pictures.read(path, turned=True).shape == (*SHAPE, 3)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, content: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


PNG, JPEG, GIF = as_bytes(COLOR, "PNG"), as_bytes(COLOR, "JPEG"), as_bytes(GREY, "GIF")

#: Files that cannot be read, by how they came to be so.
BROKEN = {
    "empty": (".jpg", b""),
    "text": (".png", b"not an image"),
    "page-of-a-login": (".jpg", b"<html>please log in</html>"),
    "another-format": (".jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 6\nshowpage\n"),
    "bomb-png": (".png", png(60_000, 60_000)),
    "bomb-bmp": (".bmp", b"BM" + struct.pack("<IHHIIIIHH", 54, 0, 0, 54, 40, 50_000, 50_000, 1, 24) + b"\0" * 24),
    "bomb-gif": (".gif", b"GIF89a" + struct.pack("<HH", 65535, 65535) + GIF[10:]),
    "cut-jpeg": (".jpg", JPEG[: len(JPEG) - 60]),
    "cut-png": (".png", PNG[: len(PNG) // 2]),
    "cut-gif": (".gif", GIF[: len(GIF) // 2]),
    "cut-in-the-header": (".png", PNG[:20]),
    "damaged-chunk": (".png", PNG[:45] + b"\xff\xff\xff" + PNG[48:]),
    "damaged-head-chunk": (".png", PNG[:18] + b"\xff" + PNG[19:]),
    "wrong-stream": (".png", PNG[:41] + chunk(b"IDAT", b"rubbish") + chunk(b"IEND", b"")),
    "no-pixels-png": (".png", png(0, 5)),
    "no-pixels-pgm": (".pgm", b"P5 0 5 255\n"),
    "pgm-no-number": (".pgm", b"P5 a b 255\n12345"),
    "pgm-endless-number": (".pgm", b"P5 " + b"9" * 30),
    "pgm-short": (".ppm", b"P6 9 6 255\n12345"),
    "pgm-no-maximum": (".pgm", b"P5 2 2 0\n1234"),
    "tiff-no-directory": (".tif", b"II*\0\xff\xff\xff\xff"),
    "tiff-cut": (".tif", as_bytes(COLOR, "TIFF")[:60]),
    "webp-cut": (".webp", as_bytes(COLOR, "WEBP")[:40]),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("first", [True, False])
def test_a_file_that_cannot_be_read_is_named(tmp_path, kind, first):
    suffix, content = BROKEN[kind]
    for split in ("train", "test"):
        (tmp_path / split / "cat").mkdir(parents=True)
        saved(tmp_path / split / "cat" / "5.png", COLOR)
    path = tmp_path / "train" / "cat" / f"{1 if first else 9}{suffix}"
    path.write_bytes(content)
    with pytest.raises(data.DataError) as error:
        data.load("folder", "train", tmp_path).fetch(torch.arange(2), 8)
    text = str(error.value)
    assert str(path) in text and "\n" not in text and "replace it or take it out of the data set" in text


def with_tables(numbers: dict[int, int]) -> bytes:
    """A JPEG whose quantization tables have other numbers, in their segments and in the frame's."""
    raw, place = bytearray(as_bytes(COLOR, "JPEG", quality=75)), 2
    while raw[place + 1] != 0xDA:
        kind, length = raw[place + 1], int.from_bytes(raw[place + 2 : place + 4], "big")
        if kind == 0xDB:
            raw[place + 4] = numbers[raw[place + 4]]
        if kind == 0xC0:
            for component in range(raw[place + 9]):
                raw[place + 12 + 3 * component] = numbers[raw[place + 12 + 3 * component]]
        place += 2 + length
    return bytes(raw)


@pytest.mark.parametrize("numbers", [{0: 2, 1: 3}, {0: 1, 1: 0}, {0: 3, 1: 2}, {0: 0, 1: 1}])
def test_the_quality_of_a_jpeg_is_that_of_its_brightness(tmp_path, numbers):
    """Tables may have any number from 0 to 3; the first component's, which is the brightness, counts."""
    (tmp_path / "1.jpg").write_bytes(with_tables(numbers))
    assert pictures.jpeg_quality(tmp_path / "1.jpg") == " q75"
    assert pictures.read(tmp_path / "1.jpg").shape == (*SHAPE, 3)


def test_no_other_program_is_started(tmp_path, monkeypatch):
    """Pillow hands PostScript to Ghostscript, whatever the file is called."""
    monkeypatch.setattr("subprocess.check_call", lambda *_, **__: pytest.fail("a program was started"))
    (tmp_path / "1.jpg").write_bytes(BROKEN["another-format"][1])
    with pytest.raises(data.DataError, match="it holds none of JPEG"):
        pictures.read(tmp_path / "1.jpg")
