"""Makes `results.png`, the picture in README.md: `.venv/bin/python docs/images/make.py`.

It is a browser's view of the page that a search of the demo's library writes. It needs Chromium.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PICTURE = Path(__file__).with_name("results.png")
QUERY = "at night AND by the sea NOT in the rain"
FOLDER = Path(tempfile.gettempdir()) / "photos"  # the page shows its name


def main() -> None:
    """Draw, index and search the demo's photos, and photograph the page of hits."""
    FOLDER.mkdir()
    page = FOLDER / "search.html"
    try:
        sigseek("demo", "--folder", FOLDER)
        sigseek("search", QUERY, "--library", FOLDER / ".sigseek", "-n", "12", "--html", page)
        photograph(page)
    finally:
        shutil.rmtree(FOLDER)
    # A tenth of the bytes; the drawings have few colours.
    Image.open(PICTURE).quantize(256).save(PICTURE, optimize=True)


def sigseek(*arguments: object) -> None:
    """Run the command of the same environment."""
    subprocess.run([sys.executable, "-m", "sigseek", *map(str, arguments)], check=True)


def photograph(page: Path) -> None:
    """Save the page as a browser shows it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        raise SystemExit("no Chromium was found; install it")
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1000,860"]
    command = [browser, *options, f"--screenshot={PICTURE}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
