"""Ways in which files come to be wrong: as bytes, and as values that parse."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

#: Numbers at which sizes, counts and signs go wrong.
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def _place(raw: bytes, chance: Random) -> int:
    """Somewhere in the bytes; more often near the start, where headers are."""
    return chance.randrange(min(len(raw), chance.choice((64, 256, len(raw)))))


def flip(raw: bytes, chance: Random) -> bytes:
    place = _place(raw, chance)
    return raw[:place] + bytes([raw[place] ^ 1 << chance.randrange(8)]) + raw[place + 1 :]


def overwrite(raw: bytes, chance: Random) -> bytes:
    place, size = _place(raw, chance), chance.choice((1, 2, 4, 8))
    order = chance.choice(("little", "big"))
    number = chance.choice((*EDGES, chance.getrandbits(8 * size))) % 256**size
    return raw[:place] + number.to_bytes(size, order) + raw[place + size :]


def cut(raw: bytes, chance: Random) -> bytes:
    return raw[: _place(raw, chance)]


def remove(raw: bytes, chance: Random) -> bytes:
    place = _place(raw, chance)
    return raw[:place] + raw[place + chance.choice((1, 2, 3, 16, 100)) :]


def insert(raw: bytes, chance: Random) -> bytes:
    place = _place(raw, chance)
    return raw[:place] + chance.randbytes(chance.choice((1, 2, 4, 50))) + raw[place:]


def repeat(raw: bytes, chance: Random) -> bytes:
    place, size = _place(raw, chance), chance.choice((4, 30, 200))
    return raw[:place] + raw[place : place + size] * chance.choice((2, 3)) + raw[place + size :]


def zero(raw: bytes, chance: Random) -> bytes:
    place, size = _place(raw, chance), chance.choice((4, 30, 200, len(raw)))
    return raw[:place] + bytes(len(raw[place : place + size])) + raw[place + size :]


def exchange(raw: bytes, chance: Random) -> bytes:
    one, other = sorted((_place(raw, chance), _place(raw, chance)))
    return raw[other:] + raw[one:other] + raw[:one]


KINDS: tuple[Callable[[bytes, Random], bytes], ...] = (flip, overwrite, cut, remove, insert, repeat, zero, exchange)


def mutated(raw: bytes, chance: Random) -> bytes:
    """``raw`` after one or a few of :data:`KINDS`."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        if raw:
            raw = chance.choice(KINDS)(raw, chance)
    return raw


#: What may stand in the place of a value.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, -3, 500, 2**63, 10**400, 0.5, 1e308, float("nan"), float("inf"), -0.0),
    *("", " ", "a\nb", "nan", "../x", "ü", "\ud800", "x" * 5000, [], [None], [[[]]], {}, {"": None}, {"a": {"a": []}}),
)


def _holders(value: Any) -> list[Any]:
    """All dictionaries and lists that are not empty, at any depth."""
    found, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list) and one:
            found.append(one)
            waiting += one.values() if isinstance(one, dict) else one
    return found


def odd(value: Any, chance: Random) -> Any:
    """A nested value in which something is missing, of another kind, twice, or deeper than it should be."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        if not (holders := _holders(value)):
            return chance.choice(ODD)
        holder = chance.choice(holders)
        key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        what = chance.randrange(4)
        if what == 0:
            del holder[key]
        elif what == 1 and isinstance(holder, dict):
            holder[chance.choice(("top1", "seed", "step", "x"))] = holder.pop(key)
        elif what == 2:
            for _ in range(chance.choice((1, 2, 50))):
                holder[key] = [holder[key]]
        else:
            holder[key] = chance.choice(ODD)
    return value
