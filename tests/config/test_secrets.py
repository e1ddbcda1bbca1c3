"""The configuration: no secret ever shows, whatever is wrong with a file."""

import traceback
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config import ConfigError, load, redacted
from tests.support.configs import load_text

GOOD = """\
global:
  environment: testing
  interval: 15m
environments:
  testing:
    proxy_url: 'http://user:hunter2@proxy.example:3128'
accounts:
- &template
  name: acme
  username: ws@acme.example
  password: hunter2-hunter2
  thresholds: {warning: 500, critical: 100}
- <<: *template
  name: other
  username: other@acme.example
  labels: {team: billing}
- {name: third, username: c, password: "hunter2\\t#", interval: 1h}
"""
SLIPS = (*":,-#&*!|>'\"%@`{}[]? \n\t\0\x07ñ\u2028", "<<", ": ", " #", "---\n", "0x", "~", "- ", "!!int ")
CHANGES = ("lose a character", "add one", "lose a line", "double a line", "move a line")


@pytest.mark.usefixtures("folder")
def test_redacted() -> None:
    """GET /config: defaults filled in, no secret, and still YAML."""
    Path("file").write_text("hunter2")
    config = load_text(
        """
environments:
  testing: {proxy_url: 'http://hunter2:hunter2@proxy.example:3128'}
accounts:
- {name: a, username: a, password: hunter2, thresholds: {warning: 5}, labels: {team: x}}
- {name: b, username: b, password_file: file, interval: 90m}
- {name: c, username: c, password_env: SET, environment: testing}
"""
    )
    text = redacted(config)
    assert "hunter2" not in text
    assert "hunter2" not in repr(config)
    shown = yaml.safe_load(text)
    assert shown["environments"]["testing"] == {
        "wsdl": "https://testing.solucionfactible.com/ws/services/Utilerias?wsdl",
        "allow_plaintext": False,
        "concurrency": 4,
        "proxy_url": "http://<secret>@proxy.example:3128",
        "tls_config": {"insecure_skip_verify": False},
    }
    assert shown["accounts"][0] == {
        "name": "a",
        "username": "a",
        "password": "<secret>",
        "environment": "production",
        "interval": "15m",
        "timeout": "1m",
        "stale_after": "45m",
        "auth_attempts": 2,
        "thresholds": {"warning": 5},
        "labels": {"team": "x"},
    }
    assert shown["accounts"][1]["password_file"] == "file"
    assert shown["accounts"][1]["interval"] == "1h30m"
    assert shown["accounts"][2]["password_env"] == "SET"


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A good file after a few slips of the hand."""
    text = GOOD
    for change in draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4)):
        at = draw(st.integers(0, len(text) - 1))
        lines = text.splitlines(keepends=True)
        line = draw(st.integers(0, len(lines) - 1))
        if change == "lose a character":
            text = text[:at] + text[at + 1 :]
        elif change == "add one":
            text = text[:at] + draw(st.sampled_from(SLIPS)) + text[at:]
        elif change == "lose a line":
            text = "".join(lines[:line] + lines[line + 1 :])
        elif change == "double a line":
            text = "".join(lines[: line + 1] + lines[line:])
        else:
            text = "".join([*lines[:line], "  ", *lines[line:]])
    return text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(damaged())
def test_no_damage_shows_a_secret(folder: Path, text: str) -> None:
    """Whatever is wrong with a file, ConfigError says so, and no piece of a password is in it."""
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        shown = repr(load(path, {}))
    except ConfigError as error:
        shown = "".join(traceback.format_exception(error))
    assert "hunter" not in shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_bytes(folder: Path, content: bytes) -> None:
    """No file makes `load` raise anything but ConfigError."""
    path = folder / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load(path, {})
