"""The few-shot learner on the built site: where it stands, what it loads, and how much that is."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

PAGES = {"index.html", "few-shot.html"}


def scripts_of(page: BeautifulSoup) -> list[str]:
    found = [script["src"].split("?")[0].rpartition("/")[2] for script in page.select("script[src]")]
    return [name for name in found if name.startswith("ten-pictures")]


def test_two_pages_have_it_and_only_they_load_its_scripts(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    assert {name for name, page in pages.items() if page.select(".ten-pictures")} == PAGES
    for name, page in pages.items():
        found = scripts_of(page)
        assert bool(found) == (name in PAGES), name
        assert not found or found[-1] == "ten-pictures.js", "it uses the others"
        assert all((site / "_static" / script).is_file() for script in found)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_without_javascript_there_is_a_still_and_a_sentence(pages: dict[str, BeautifulSoup], name: str) -> None:
    place = pages[name].select_one(".ten-pictures")
    assert [image["class"] for image in place.select("img")] == [["only-light"], ["only-dark"]]
    assert "of 200 test pictures" in place.select_one("img")["alt"]
    assert "With JavaScript" in place.get_text()


def test_it_is_small_until_it_is_used(site: Path) -> None:
    def packed(*names: str) -> int:
        return sum(len(gzip.compress((site / "_static" / f"ten-pictures{name}").read_bytes())) for name in names)

    assert packed(".css", ".js", "-net.js", "-head.js", "-own.js", "-chart.js", "-data.js") < 150_000
    assert packed("-features.js") < 600_000
    assert (site / "_static" / "ten-pictures-weights.js").stat().st_size < 5_000_000
