"""A real browser for the built site: any Chromium of the machine, driven by Playwright, with the network off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from built_site import docs_module, pages_of
from built_site import site as site
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")


def _executable(playwright: Playwright) -> str:
    found = docs_module("_report/report").find_chromium(playwright.chromium.executable_path)
    if found is None:
        reason = "no Chromium here: install one (apt-get install chromium) or set BITDOC_CHROMIUM to its path"
        if os.environ.get("BITDOC_REQUIRE_BROWSER"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, as whom containers run.
        root = getattr(os, "geteuid", lambda: 1)() == 0
        running = playwright.chromium.launch(
            executable_path=_executable(playwright), args=["--no-sandbox"] if root else []
        )
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser, site: Path) -> Iterator[Callable[..., Page]]:
    """A function that opens a page of the site from disk: ``open_page("mixup.html", width=360, theme="dark")``.

    The page has a list ``trouble`` of what went wrong while it was open: console errors, script errors, and requests
    to another host; and a list ``asked`` of all requests.
    """
    contexts = []

    def open_one(address: str, width: int = 1280, theme: str = "light", touch: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=theme,
            has_touch=touch,
            offline=True,
            reduced_motion="reduce",
        )
        # On a machine that does much else, a page may take its time.
        context.set_default_timeout(120_000)
        contexts.append(context)
        page = context.new_page()
        page.trouble, page.asked = [], []
        page.on("console", lambda message: _note(page, message.text, message.type in {"error", "warning"}))
        page.on("pageerror", lambda error: _note(page, str(error), True))
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("request", lambda request: _note(page, f"asks {request.url}", _is_outside(request.url)))
        page.goto((site / address).as_uri())
        page.wait_for_load_state("load")
        page.wait_for_function("!document.documentElement.classList.contains('fonts-under-way')")
        return page

    yield open_one
    for context in contexts:
        context.close()


def _note(page: Page, text: str, is_trouble: bool) -> None:
    if is_trouble:
        page.trouble.append(text)


def _is_outside(url: str) -> bool:
    return not url.startswith(("file:", "data:", "blob:", "about:"))


@pytest.fixture(scope="session")
def addresses(site: Path) -> list[str]:
    """The addresses of all pages."""
    return [path.relative_to(site).as_posix() for path in pages_of(site)]
