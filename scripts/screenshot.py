#!/usr/bin/env python3
"""Takes the picture of the page that the README shows: the demonstration, in Debian's chromium.

Usage: .venv/bin/python scripts/screenshot.py [--dark] [--width PIXELS] [FILE]

It is drawn with the fonts of the machine. Where pngquant and optipng are installed they make it smaller.
"""

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
DEMO = (sys.executable, "-m", "exporter", "demo", "--web.listen-address=127.0.0.1:0")
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_SECONDS = 60.0


@contextmanager
def demo() -> Iterator[str]:
    """Run the demonstration on a free port; give its address."""
    process = subprocess.Popen(DEMO, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603
    try:
        assert process.stdout  # noqa: S101 - it is a pipe
        for line in process.stdout:
            if found := re.search(r"msg=listening .*url=(\S+)", line):
                yield found[1]
                return
        sys.exit("the demonstration ended")
    finally:
        process.terminate()
        process.communicate()


def await_polls(url: str) -> None:
    """Wait until each account was polled and there is something to see: one suspended, one failing."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        with urlopen(f"{url}metrics", timeout=10) as answer:  # noqa: S310 - http, by the demonstration
            shown = answer.read().decode()
        accounts = len(re.findall(r"^cfdi_account_info\{", shown, re.MULTILINE))
        polled = len(re.findall(r"^cfdi_account_last_poll_timestamp_seconds\{", shown, re.MULTILINE))
        suspended = re.search(r"^cfdi_account_suspended\{.*\} 1", shown, re.MULTILINE)
        failing = re.search(r'^cfdi_account_up\{account="flaky"\} 0', shown, re.MULTILINE)
        if accounts == polled > 0 and suspended and failing:
            return
        time.sleep(0.2)
    sys.exit(f"not all accounts were polled within {WAIT_SECONDS:g} s")


def shoot(url: str, file: Path, *, width: int, scheme: str) -> None:
    """Draw the page into a file, two pixels for one."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        page = browser.new_page(
            viewport={"width": width, "height": 700},
            device_scale_factor=2,
            color_scheme="dark" if scheme == "dark" else "light",
            locale="en-US",
        )
        page.goto(url)
        page.screenshot(path=file, full_page=True)
        browser.close()


def make_smaller(file: Path) -> None:
    """Reduce the colours, then pack them well; each where its program is installed."""
    for program, *flags in (
        ("pngquant", "--force", "--strip", "--ext=.png", "40"),
        ("optipng", "-quiet", "-o5"),
    ):
        if path := shutil.which(program):
            subprocess.run([path, *flags, file], check=True)  # noqa: S603


def main() -> None:
    """Take the picture."""
    parser = argparse.ArgumentParser(description="Takes the picture of the page that the README shows.")
    parser.add_argument("file", nargs="?", type=Path, default=ROOT / "docs" / "images" / "page.png")
    parser.add_argument("--dark", action="store_const", const="dark", default="light", dest="scheme")
    parser.add_argument("--width", type=int, default=1100)
    arguments = parser.parse_args()
    with demo() as url:
        await_polls(url)
        shoot(url, arguments.file, width=arguments.width, scheme=arguments.scheme)
    make_smaller(arguments.file)


if __name__ == "__main__":
    main()
