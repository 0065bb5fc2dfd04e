"""A budget of time for every test that is not marked slow: ``--budget SECONDS``, in seconds of one core."""

import os
from collections.abc import Iterator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option; without it, tests take as long as they take."""
    parser.addoption("--budget", type=float, metavar="SECONDS", help="of one core, for a test that is not marked slow")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Hold a test to it. The time of the processor counts, which other work on the machine leaves alone."""
    began = sum(os.times()[:4])
    yield
    budget, spent = item.config.getoption("budget"), sum(os.times()[:4]) - began
    if budget and spent > budget and not item.get_closest_marker("slow"):
        pytest.fail(f"took {spent:.1f} s of one core: mark it slow, or make it smaller", pytrace=False)
