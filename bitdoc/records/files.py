"""Files that are written whole or not at all, downloads that end as such files, and where those are kept."""

from __future__ import annotations

import errno
import glob
import hashlib
import http.client
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BufferedRandom
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout
from tqdm import tqdm

_CHUNK = 1 << 20  # bytes read between two updates of the progress bar
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # no space, or no quota, left


class FileError(OSError):
    """A file could not be written or downloaded; the message is one line that says what to do."""


def expanded(path: str | os.PathLike) -> Path:
    """A path in which ``~`` and ``~somebody`` mean a home folder.

    Raises
    ------
    FileError
        If there is no such user, or nobody's home is known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise FileError(f"{path}: there is no such home folder; write the path in full") from None


def _home(variable: str) -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise FileError(f"there is no home folder; name a folder in the environment variable {variable}") from None


def _platform_folder(variable: str, unix: tuple[str, str], windows: str, mac: str) -> Path:
    if os.environ.get(variable):
        return expanded(os.environ[variable])
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else _home(variable) / "AppData" / "Local") / "bitdoc" / windows
    if sys.platform == "darwin":
        return _home(variable) / "Library" / mac / "bitdoc"
    if os.environ.get(unix[0]):
        return expanded(os.environ[unix[0]]) / "bitdoc"
    return _home(variable) / unix[1] / "bitdoc"


def cache_folder() -> Path:
    """Folder for downloads: the environment variable ``BITDOC_CACHE``, else the platform's cache folder."""
    return _platform_folder("BITDOC_CACHE", ("XDG_CACHE_HOME", ".cache"), "Cache", "Caches")


def users_folder() -> Path:
    """Folder for what a user has measured: ``BITDOC_HOME``, else where the platform keeps users' data."""
    return _platform_folder("BITDOC_HOME", ("XDG_DATA_HOME", ".local/share"), "Data", "Application Support")


@contextmanager
def written_atomically(target: Path) -> Iterator[BufferedRandom]:
    """Open a file beside ``target`` that takes its place when the block ends well, and is removed otherwise.

    Raises
    ------
    FileError
        If the disk is full or the folder cannot be written to.
    """
    # Not by the number of the process alone: two containers may share the folder and the number.
    part = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w+b") as file:
            _take(file)  # as long as this process lives, so that another one can tell what a killed one left
            yield file
        _replace(part, target)
    except OSError as error:
        if error.errno in _FULL:
            raise FileError(f"the disk is full: could not write {target}; free some space and try again") from None
        if error.filename in (str(part), str(target.parent)):
            raise FileError(f"cannot write {target}: {error.strerror}") from None
        raise
    finally:
        with suppress(OSError):  # where there is no folder there is no file either
            part.unlink()


def _take(file: IO) -> bool:
    """Mark an open file as this process's, where nobody else has; the system lets go of it when the process ends."""
    try:
        import fcntl
    except ImportError:  # Windows, where an open file cannot be removed, which serves as well
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def clear_parts(target: Path) -> None:
    """Remove what processes that were killed left half-written of ``target``."""
    for part in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        with suppress(OSError):
            if sys.platform == "win32":  # which refuses to remove what any process, this one too, has open
                part.unlink()
                continue
            with part.open("rb+") as file:
                if _take(file):
                    part.unlink()


@contextmanager
def held(target: Path, what: str) -> Iterator[None]:
    """Keep ``target`` to this process while the block runs; what killed ones left of it is cleared.

    Parameters
    ----------
    what : str
        What is done to the target, for the error: ``"trained"``.

    Raises
    ------
    FileError
        If another process holds it, or its folder cannot be written to.
    """
    lock = FileLock(target.with_name(f".{target.name}.lock"))  # the system lets go of it when the process ends
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(NotImplementedError):  # a file system without locks, as older versions of filelock say it
            lock.acquire(blocking=False)
    except Timeout:
        raise FileError(f"{target} is being {what} by another process; wait for it, or choose another name") from None
    except OSError as error:
        raise FileError(f"cannot write to {target.parent}: {error.strerror}") from None
    try:
        clear_parts(target)
        yield
    finally:
        if sys.platform != "win32":  # while it is held, so that nobody else's is removed
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
        if sys.platform == "win32":  # where it can be removed only when nobody has it open
            with suppress(OSError):
                Path(lock.lock_file).unlink()


def _replace(part: Path, target: Path) -> None:
    """``os.replace``; on Windows tried for a second, while another process (a virus scanner, say) reads ``target``."""
    for _ in range(20 if sys.platform == "win32" else 0):
        try:
            os.replace(part, target)
            return
        except PermissionError:
            time.sleep(0.05)
    os.replace(part, target)


def download(url: str, target: Path, magic: bytes = b"", md5: str = "") -> Path:
    """Download ``url`` to the file ``target`` with a progress bar; nothing is left behind if that fails.

    Parameters
    ----------
    magic : bytes
        What a file of the right kind starts with, so that an error page is not taken for one.
    md5 : str
        Checksum of the whole file, in hexadecimal, where it is known.

    Raises
    ------
    FileError
        Without network, for an HTTP error, a transfer cut short, another file than expected, or a full disk.
    """
    try:
        with written_atomically(target) as file, urllib.request.urlopen(url, timeout=30) as response:
            expected = int(response.headers.get("Content-Length") or 0)
            with tqdm(total=expected or None, unit="B", unit_scale=True, desc=target.name, disable=None) as bar:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
            received = file.tell()
            if expected and received != expected:
                raise FileError(f"{url}: only {received:,} of {expected:,} bytes arrived; try again")
            file.seek(0)
            if file.read(len(magic)) != magic:
                raise FileError(
                    f"{url}: what arrived is not a {target.suffix} file; is the network behind a login page?"
                )
            file.seek(0)
            if md5 and (found := hashlib.file_digest(file, "md5").hexdigest()) != md5:
                raise FileError(f"{url}: what arrived has MD5 {found}, expected {md5}; try again")
    except FileError:
        raise
    except urllib.error.HTTPError as error:
        raise FileError(f"{url}: the server answered {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise FileError(f"{url}: download failed ({reason}); try again, or put the file in {target.parent}") from None
    return target


def archive(url: str, target: Path, md5: str, magic: bytes = b"") -> Path:
    """Return ``target``, downloaded unless it is there with the checksum ``md5``.

    A file that is truncated or altered is named, and stays until a whole one takes its place. Errors are those of
    :func:`download`.
    """
    if target.is_file():
        with target.open("rb") as file:
            if hashlib.file_digest(file, "md5").hexdigest() == md5:
                return target
        print(f"{target} is truncated or altered and is downloaded again", file=sys.stderr)
    return download(url, target, magic, md5)


def is_whole_zip(path: Path) -> bool:
    """Whether a zip archive (an ``.npz`` file is one) passes its own checksums; one that does not is named."""
    found = path.stat()
    state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return _passes_checksums(path, state)


@cache
def _passes_checksums(path: Path, state: tuple[int, ...]) -> bool:
    """``state`` tells the file, and every change of it: one of the same size, or with its old date set again."""
    try:
        with zipfile.ZipFile(path) as archive:
            whole = archive.testzip() is None
    except Exception:  # zipfile raises errors of many kinds on what is no sound archive
        whole = False
    if not whole:
        print(f"{path} is truncated or altered and is passed over", file=sys.stderr)
    return whole


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
