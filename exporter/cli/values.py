"""What the values of flags must be. Each raises what argparse shows as the error of the flag."""

import argparse
import contextlib
import re
from pathlib import Path
from urllib.parse import urlsplit


def listen_address(text: str) -> str:
    from exporter.web.addresses import split_address

    try:
        split_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def file(text: str) -> Path:
    if not Path(text).name:  # empty, "." or "/"
        raise argparse.ArgumentTypeError(f"must be a file, got {text}")
    return Path(text)


def path(text: str) -> str:
    if not text.startswith("/") or any(character in text for character in "{}?#%\\ "):
        raise argparse.ArgumentTypeError(f"must be a path such as /metrics, got {text}")
    if text == "/config" or text.startswith("/-/"):
        raise argparse.ArgumentTypeError(f"{text} is the path of another page")
    return text


def speed(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) <= 86400:
            return number
    raise argparse.ArgumentTypeError(f"must be a number above 0 and at most 86400, got {text}")


def count(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 7 and int(text) <= 1_000_000:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number up to 1000000, got {text}")


def url(text: str) -> str:
    """The address of a server. No message shows it where it may hold a password."""
    if "@" in text:
        raise argparse.ArgumentTypeError(
            "must not hold a user or password: they belong into --http.config.file"
        )
    sound = False
    with contextlib.suppress(ValueError):  # a port that is none, brackets that don't match
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    if not sound or not re.fullmatch(r"[!-~]+", text) or any(one in text for one in "?#\\"):
        raise argparse.ArgumentTypeError(f"must be a URL such as http://127.0.0.1:9090, got {text!r}")
    return text


_MATCHER = r'[a-zA-Z_][a-zA-Z0-9_]*(=|!=|=~|!~)"([^"\\\n]|\\.)*"'


def matchers(text: str) -> str:
    """Return the inner part of a selector such as ``{cluster="a"}``."""
    inner = text.strip().removeprefix("{").removesuffix("}").strip().removesuffix(",")
    if not re.fullmatch(rf"{_MATCHER}(\s*,\s*{_MATCHER})*", inner):
        raise argparse.ArgumentTypeError(f"must be matchers such as '{{cluster=\"a\"}}', got {text}")
    return inner
