"""``nox -s fuzz``: wrong pictures, weights, checkpoints, records and flags, for as many minutes as one likes.

    python -m nox -s fuzz -- --minutes 60 --only pictures weights

What is found is printed with the command that repeats it, and its folder is kept.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest does: modules of the tests by name

import torch
from fuzz.targets import TARGETS

#: A trial that takes longer waits for something that never comes.
SECONDS = 60
MEMORY = 12 << 30


class TooLong(BaseException):
    """A trial that does not end; no ``except Exception`` of the package may swallow it."""


def _stop(*_: object) -> None:
    raise TooLong(f"no end after {SECONDS} seconds")


def trial(name: str, number: int, seed: int, folder: Path) -> str:
    """Make one trial; return what went wrong, nothing if all went well."""
    torch.manual_seed(0)
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGALRM, _stop)
        signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings(action="ignore"):
            TARGETS[name](Random(f"{seed}/{name}/{number}"), folder)
    except KeyboardInterrupt:
        raise
    except BaseException:  # whatever it is, it is what is looked for
        return traceback.format_exc(limit=-15)
    finally:
        if hasattr(signal, "alarm"):
            signal.alarm(0)
    return ""


def _place(report: str) -> str:
    """Where an error was raised and what it is, to tell two finds from one found twice."""
    lines = report.strip().splitlines()
    files = [line for line in lines if line.startswith("  File ")]
    return f"{files[-1] if files else ''} {lines[-1].partition(':')[0]}"


def search(names: list[str], minutes: float, seed: int, first: int = 0, trials: int | None = None) -> int:
    """Make trials in turn until the time is up, or ``trials`` of each; return how many different things were found."""
    end, made, found, number = time.monotonic() + 60 * minutes, Counter[str](), Counter[str](), first
    while time.monotonic() < end and (trials is None or number < first + trials):
        for name in names:
            folder = Path(tempfile.mkdtemp(prefix=f"bitdoc-fuzz-{name}-"))
            report = trial(name, number, seed, folder)
            made[name] += 1
            if not report:
                shutil.rmtree(folder)
                continue
            found[_place(report)] += 1
            if found[_place(report)] == 1:
                again = f"python tests/fuzz/run.py --only {name} --seed {seed} --first {number} --trials 1"
                print(f"\n{name}: {report}\nagain: {again}\nfiles: {folder}\n", flush=True)
        number += 1
    print(f"trials: {', '.join(f'{name} {count:,}' for name, count in made.items())}; seed {seed}")
    print(f"found: {len(found)}" + "".join(f"\n  {count} times {place.strip()}" for place, count in found.items()))
    return len(found)


def main() -> int:
    """Command line; the exit status is 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=list(TARGETS), help="default: all, in turn")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: another each time")
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--trials", type=int, help="trials of each; default: until the time is up")
    flags = parser.parse_args()
    os.environ["TQDM_DISABLE"] = "1"
    torch.set_num_threads(1)
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # what asks for more is a find
    return 1 if search(flags.only, flags.minutes, flags.seed, flags.first, flags.trials) else 0


if __name__ == "__main__":
    sys.exit(main())
