"""Chromium or Chrome, for tests and measurements of the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MISSING = (
    "no Chromium or Chrome was found, so the tests of the page were skipped; "
    "on Debian: apt-get install chromium"
)


def found_browser() -> str | None:
    """Return the path of an installed browser, or None."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            # Its sandbox does not work for root, nor in many containers. It opens our page alone.
            executable_path=found_browser(), args=["--no-sandbox"]
        )  # fmt: skip
        try:
            yield started
        finally:
            started.close()
