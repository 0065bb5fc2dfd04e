"""Run records: what was run, on what, with what result. One run is one small JSON file.

A record holds all that is needed to decide whether two runs may stand in one figure. Records are written atomically,
so that sweeps can run side by side without a lock, and read strictly: a damaged one is an error that names it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from bitdoc.records import sense
from bitdoc.records.age import code_digest, code_version
from bitdoc.records.files import FileError, expanded, users_folder, written_atomically
from bitdoc.records.machine import environment, now
from bitdoc.records.machine import peak_memory as peak_memory  # asked of runs, so offered here

#: The cached runs that come with the package; ``BITDOC_RESULTS`` names another folder.
RESULTS = Path(__file__).parent / "results"
#: What stands beside the package in a checkout; an installed package is not written to.
_PROJECT = Path(__file__).parents[2] / "pyproject.toml"

#: What all runs had in common before records began to tell it.
_UNSAID = {"precision": "float32"}
#: What older records do not tell, and then differ in from none.
_TOLD_LATER = ("test_digest", "train_digest")
#: Bytes of a name that file systems take, with room for the ending and for the file that is being written.
_LONGEST = 200


class RecordError(ValueError):
    """A run record that cannot be read; the message names the file and the field."""


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes
    ----------
    experiment : str
        The study it belongs to and its folder in the results, such as ``"few-shot-cifar10"``.
    name : str
        Identity of the run within the experiment and its file name.
    model : str
        ``"BiT-M-R50x3"``, or an architecture alone (``"R26x0.5"``) for a network that starts from random weights.
    setting : dict
        Everything chosen: data sets and their encoding, examples per class, seeds, digests of the images,
        hyperparameters, SHA-256 of the weights it started from. Numbers, strings, lists and None only.
    result : dict
        Everything measured: accuracies in percent, losses.
    curve : dict
        Lists of equal length, such as ``{"step": [...], "loss": [...]}``.
    cost : dict
        ``seconds``, ``images_per_second``, ``peak_memory_bytes`` (None where the device cannot tell).
    environment : dict
        Device name, library versions, operating system.
    code : dict
        Git ``commit`` (None outside a checkout) and ``digest`` of the code that decides results; ``restamped`` says
        when and why the digest was renewed, if that code was rewritten without a change of what it computes (now
        :data:`bitdoc.records.age.SAME` says so for all records at once).
    date : str
        UTC, ISO 8601.
    """

    experiment: str
    name: str
    model: str
    setting: dict[str, Any]
    result: dict[str, Any]
    curve: dict[str, list] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    code: dict[str, Any] = field(default_factory=dict)
    date: str = ""

    @property
    def is_current(self) -> bool:
        """Whether the code that decides results is still the code that made this run."""
        return self.code.get("digest") == code_digest()


def folder() -> Path:
    """Where records are written to, and looked for first.

    The environment variable ``BITDOC_RESULTS``; else the package's own results in a checkout; else, as an installed
    package may be read-only or be replaced, the folder where the user's data belong.
    """
    if os.environ.get("BITDOC_RESULTS"):
        return expanded(os.environ["BITDOC_RESULTS"])
    return RESULTS if _PROJECT.is_file() else users_folder() / "results"


def _folders() -> tuple[Path, ...]:
    """Where records are looked for: a user's own come before those of the package."""
    own = folder()
    return (own,) if os.environ.get("BITDOC_RESULTS") or own == RESULTS else (own, RESULTS)


def checked_name(name: str) -> str:
    """Return ``name`` if it can name a run, its file and its folder.

    Raises
    ------
    RecordError
        If it cannot: ``..`` would lead out of the folder.
    """
    if not re.fullmatch(r"[\w.+=-]+", name) or not name.strip("."):
        raise RecordError(f"{name!r} cannot name a run; use letters, digits and . _ + = -")
    if len(name.encode(errors="replace")) > _LONGEST:
        raise RecordError(f"the name {name[:20]}... has {len(name)} characters, too many for a file")
    return name


def path_of(experiment: str, name: str) -> Path:
    """File of a run: where it is, or where it will be written."""
    file = Path(checked_name(experiment)) / f"{checked_name(name)}.json"
    places = [place / file for place in _folders()]
    return next((path for path in places if path.exists()), places[0])


def paths(experiment: str) -> list[Path]:
    """Files of all records of an experiment, in the order of their names; one of the user's own hides a cached one."""
    found = {path.name: path for place in reversed(_folders()) for path in (place / experiment).glob("*.json")}
    return [found[name] for name in sorted(found)]


def exists(experiment: str, name: str) -> bool:
    """Whether the run has been made, and its record can be read."""
    path = path_of(experiment, name)
    return path.exists() and bool(read_named(path))


def made_now(
    experiment: str, name: str, model: str, setting: dict[str, Any], result: dict[str, Any], **more: Any
) -> RunRecord:
    """The record of a run that ended just now; ``more`` may hold ``curve``, ``cost``, ``device``, and the ``code``."""
    device = more.pop("device", "cpu")
    said: dict[str, Any] = {
        "environment": environment(device),
        "code": more.pop("code", None) or code_version(),
        "date": now(),
    }
    return RunRecord(experiment, name, model, setting, result, **said, **more)


def write(record: RunRecord, path: Path | None = None) -> Path:
    """Write ``record`` to ``path``, by default into :func:`folder`; what stood there stays until the new text is whole.

    A record that makes no sense (:mod:`bitdoc.records.sense`) is refused, with :class:`RecordError`.
    """
    place = Path(checked_name(record.experiment)) / f"{checked_name(record.name)}.json"
    path = path or folder() / place  # a folder of one's own need not exist where the path is given
    text = json.dumps(asdict(record), indent=1, sort_keys=True, allow_nan=False)
    if wrong := sense.complaint(json.loads(text)):
        raise RecordError(f"the record of {record.name} makes no sense and is not written: {wrong}")
    text = re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\s+", " ", m[0]), text)  # a list on one line
    try:
        with written_atomically(path) as file:
            file.write((text + "\n").encode())
    except FileError as error:
        raise RecordError(f"the run is done, but its record could not be written: {error}") from None
    return path


def read(path: Path) -> RunRecord:
    """Read one record.

    Raises
    ------
    RecordError
        If the file is not JSON, or a field is missing, unknown, or not what readers of records rely on.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path} is not a readable run record: {error}") from error
    if not isinstance(raw, dict):
        raise RecordError(f"{path} is not a run record: expected an object, found {type(raw).__name__}")
    types = {f.name: str if f.type == "str" else dict for f in fields(RunRecord)}
    for name, kind in types.items():
        if name not in raw:
            raise RecordError(f"{path}: the field {name!r} is missing")
        if not isinstance(raw[name], kind):
            raise RecordError(f"{path}: the field {name!r} is {type(raw[name]).__name__}, expected {kind.__name__}")
    for name in raw:
        if name not in types:
            raise RecordError(f"{path}: unknown field {name!r}")
    if wrong := sense.complaint(raw):
        raise RecordError(f"{path}: {wrong}")
    return RunRecord(**raw)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def read_named(path: Path) -> RunRecord:
    """Read one record of the results, which must stand under its own name; errors are those of :func:`read`."""
    record = read(path)
    if (record.experiment, record.name) != (path.parent.name, path.stem):
        raise RecordError(f"{path} holds the record of {record.experiment}/{record.name}, not that of its own name")
    return record


def load(experiment: str, **wanted: Any) -> list[RunRecord]:
    """All records of an experiment whose fields or settings equal ``wanted``, in the order of their names.

    Examples
    --------
    >>> load("few-shot-cifar10", model="no-such-model")
    []
    """
    records = [read_named(path) for path in paths(experiment)]
    return [r for r in records if all(lookup(r, key) == value for key, value in wanted.items())]


def lookup(record: RunRecord, key: str) -> Any:
    """A field of the record, or else of its setting; None where it has neither."""
    return getattr(record, key) if key in RunRecord.__dataclass_fields__ else record.setting.get(key, _UNSAID.get(key))


def group(records: Iterable[RunRecord], key: str | Callable[[RunRecord], Any]) -> dict[Any, list[RunRecord]]:
    """Records by the value of a field, a setting, or a function of the record, in ascending order of that value."""
    of = key if callable(key) else lambda record: lookup(record, key)
    groups: dict[Any, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(of(record), []).append(record)
    return dict(sorted(groups.items()))


def require_same(records: Iterable[RunRecord], *keys: str) -> None:
    """Refuse to join runs that differ in one of ``keys``.

    Raises
    ------
    RecordError
        Naming two records and what differs between them.
    """
    whole = list(records)
    for key in keys:
        records = [r for r in whole if key not in _TOLD_LATER or key in r.setting]
        for record in records[1:]:
            if lookup(record, key) != lookup(records[0], key):
                raise RecordError(
                    f"{records[0].name} and {record.name} cannot stand on one line: {key} is "
                    f"{lookup(records[0], key)!r} and {lookup(record, key)!r}"
                )


def provenance(records: Iterable[RunRecord]) -> str:
    """One line for a caption: how many runs, where, when, and whether by the present code."""
    records = list(records)
    if not records:
        return "No runs yet."
    devices = sorted({r.environment.get("device", "unknown device") for r in records})
    days = sorted({r.date[:10] for r in records})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    old = sum(not r.is_current for r in records)
    state = "by the present code" if not old else "by older code" if old == len(records) else f"{old} by older code"
    runs = "1 run" if len(records) == 1 else f"{len(records)} runs"
    return f"{runs} on {', '.join(devices)}, {span}, {state}."
