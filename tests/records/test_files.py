"""Files that are written whole or not at all, whatever happens in between."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bitdoc.records import files
from bitdoc.records.files import FileError, written_atomically


def write_half(path: Path, error: BaseException) -> None:
    with written_atomically(path) as file:
        file.write(b"half")
        raise error


def test_what_was_written_stands_there(tmp_path):
    with written_atomically(tmp_path / "a" / "x.npz") as file:
        file.write(b"whole")
        assert not (tmp_path / "a" / "x.npz").exists()
    assert [path.read_bytes() for path in (tmp_path / "a").iterdir()] == [b"whole"]


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt(), OSError(errno.EIO, "broken")])
def test_an_error_leaves_the_old_file(tmp_path, error):
    (tmp_path / "x.npz").write_bytes(b"old")
    with pytest.raises(type(error)):
        write_half(tmp_path / "x.npz", error)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x.npz", b"old")]


@pytest.mark.parametrize("number", sorted(files._FULL))
def test_a_full_disk_is_named(tmp_path, number):
    with pytest.raises(FileError, match="the disk is full: could not write .*x.npz"):
        write_half(tmp_path / "x.npz", OSError(number, os.strerror(number)))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot write .*x.npz: "):
        write_half(tmp_path / "file" / "x.npz", AssertionError("was opened"))


def test_a_killed_process_leaves_nothing_that_looks_whole(tmp_path):
    """Where nothing can clean up, what is left cannot be taken for the file."""
    code = (
        "import os, sys; from pathlib import Path; from bitdoc.records.files import written_atomically\n"
        "with written_atomically(Path(sys.argv[1]) / 'x.npz') as file: file.write(b'half'); os._exit(9)"
    )
    root = str(Path(files.__file__).parents[2])
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, env=os.environ | {"PYTHONPATH": root}, check=False).returncode == 9
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]


def test_others_may_read_what_was_written(tmp_path):
    """A temporary file is often private; a cache folder may be shared."""
    (tmp_path / "probe").touch()
    with written_atomically(tmp_path / "x.npz"):
        pass
    assert (tmp_path / "x.npz").stat().st_mode == (tmp_path / "probe").stat().st_mode


def test_cache_folder_of_each_platform(monkeypatch):
    monkeypatch.setenv("BITDOC_CACHE", "mine")
    assert files.cache_folder() == Path("mine")
    monkeypatch.delenv("BITDOC_CACHE")
    monkeypatch.setenv("LOCALAPPDATA", "AppData")
    monkeypatch.setenv("XDG_CACHE_HOME", "xdg")
    for platform, folder in (("win32", "AppData/bitdoc/Cache"), ("linux", "xdg/bitdoc")):
        monkeypatch.setattr(sys, "platform", platform)
        assert files.cache_folder() == Path(folder)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert files.cache_folder() == Path.home() / "Library" / "Caches" / "bitdoc"


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert files.sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
