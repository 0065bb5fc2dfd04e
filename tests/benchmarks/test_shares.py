"""A share of a limit is one only where the limit is above it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from benchmarks.bench import shares

from bitdoc.figures.performance import tables


def test_the_highest_limit_counts():
    found = shares({"one": 100e9, "other": 300e9}, [200e9, 345e9, 203e9])
    assert found["matmul_rate"] == 345e9 and found["matmul_rates"] == [200e9, 345e9, 203e9]
    assert found["one"] == pytest.approx(100 / 345) and found["other"] == pytest.approx(300 / 345)


def test_what_is_above_the_limit_is_no_share_of_it(capsys):
    found = shares({"one": 100e9, "other": 240e9}, [203e9, 190e9])
    assert found["one"] == pytest.approx(100 / 203) and found["other"] is None
    assert "other: 240 GFLOP/s are above the 203 measured for matrices" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("evaluation", "text"),
    [
        ({"share_of_matmul_rate": 0.555}, "56%"),
        ({"share_of_matmul_rate": 1.18}, "(not known: in this run matrices"),
        ({"share_of_matmul_rate": None}, "(not known: in this run matrices"),
        ({}, "(not measured yet)"),
    ],
)
def test_the_page_shows_no_share_above_all(monkeypatch, evaluation, text):
    record = SimpleNamespace(result={"evaluation": evaluation})
    monkeypatch.setattr(tables, "benchmark", lambda: record)
    assert tables.matmul_share().startswith(text)
    monkeypatch.setattr(tables, "benchmark", lambda: None)
    assert tables.matmul_share() == tables.matmul_share_compiled() == "(not measured yet)"
