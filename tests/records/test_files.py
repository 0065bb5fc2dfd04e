"""Files that are written whole or not at all, whatever happens in between."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from filelock import BaseFileLock, SoftFileLock

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


def test_the_next_one_clears_what_a_killed_process_left(tmp_path):
    test_a_killed_process_leaves_nothing_that_looks_whole(tmp_path)
    (tmp_path / ".y.npz.1-2.part").touch()
    with files.held(tmp_path / "x.npz", "made"), written_atomically(tmp_path / "x.npz") as file:
        file.write(b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".y.npz.1-2.part", "x.npz"], "others' files are left"


def test_what_another_process_is_writing_is_left(tmp_path):
    with written_atomically(tmp_path / "x.npz") as file:
        files.clear_parts(tmp_path / "x.npz")
        file.write(b"whole")
    assert (tmp_path / "x.npz").read_bytes() == b"whole"


def test_two_processes_on_one_file_are_refused_and_a_killed_one_is_not_waited_for(tmp_path):
    code = (
        "import sys; from pathlib import Path; from bitdoc.records.files import held\n"
        "with held(Path(sys.argv[1]), 'trained'): print('holds', flush=True); sys.stdin.read()"
    )
    root, target = str(Path(files.__file__).parents[2]), tmp_path / "run.pt"
    command = [sys.executable, "-c", code, str(target)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": root}, **pipes) as other:
        assert other.stdout.readline() == "holds\n"
        with (
            pytest.raises(FileError, match="run.pt is being trained by another process"),
            files.held(target, "trained"),
        ):
            pass
        other.kill()
    with files.held(target, "trained"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("platform", [sys.platform, "win32"])
def test_a_file_is_held_once_whatever_the_system(tmp_path, monkeypatch, platform):
    """On Windows a file that is open cannot be removed, so the order of the last steps is another there."""
    monkeypatch.setattr(sys, "platform", platform)
    target = tmp_path / "run.pt"
    (tmp_path / ".run.pt.1-2.part").touch()
    for _ in range(2):
        with files.held(target, "trained"):
            assert [path.name for path in tmp_path.iterdir()] == [".run.pt.lock"]
            with pytest.raises(FileError, match="is being trained by another process"), files.held(target, "trained"):
                pass
            assert (tmp_path / ".run.pt.lock").exists(), "who is refused takes no lock away"
        assert list(tmp_path.iterdir()) == []


def test_the_lock_is_one_on_every_system():
    """It is the library's that knows Windows' locks too; what the system takes for a lock is for it to say."""
    assert issubclass(files.FileLock, BaseFileLock) and files.FileLock is not SoftFileLock


def test_an_archive_that_changed_under_its_date_and_size_is_looked_at_again(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"abc" * 100)
    whole, date = path.read_bytes(), path.stat().st_mtime_ns
    assert files.is_whole_zip(path)
    path.write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    os.utime(path, ns=(date, date))
    assert not files.is_whole_zip(path)


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


def test_users_data_have_a_folder_on_each_platform(monkeypatch):
    monkeypatch.delenv("BITDOC_HOME", raising=False)
    monkeypatch.setenv("LOCALAPPDATA", "AppData")
    monkeypatch.setenv("XDG_DATA_HOME", "xdg")
    for platform, folder in (("win32", "AppData/bitdoc/Data"), ("linux", "xdg/bitdoc")):
        monkeypatch.setattr(sys, "platform", platform)
        assert files.users_folder() == Path(folder)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert files.users_folder() == Path.home() / "Library" / "Application Support" / "bitdoc"


@pytest.mark.parametrize("variable", ["BITDOC_CACHE", "XDG_CACHE_HOME"])
def test_a_tilde_in_a_variable_means_home(monkeypatch, tmp_path, variable):
    for name in ("BITDOC_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, "~/mine")
    assert (tmp_path / "mine") in (files.cache_folder(), files.cache_folder().parent)


def test_without_a_home_one_line_says_what_to_do(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    for name in ("BITDOC_CACHE", "XDG_CACHE_HOME", "BITDOC_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    for folder, variable in ((files.cache_folder, "BITDOC_CACHE"), (files.users_folder, "BITDOC_HOME")):
        with pytest.raises(FileError, match=f"there is no home folder; name a folder in .* {variable}"):
            folder()
    with pytest.raises(FileError, match="~nosuchuser/x: there is no such home folder"):
        files.expanded("~nosuchuser/x")


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert files.sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
