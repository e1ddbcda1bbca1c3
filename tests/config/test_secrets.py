"""The configuration: no secret ever shows, whatever is wrong with a file."""

import traceback
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config import ConfigError, load, redacted
from tests.support.configs import errors_of, load_text

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


PIECES = [
    "{name: a, username: u, password: abc,Hunter: Tiger}",
    "{name: a, username: u, password: abc, Hunter: Tiger}",
    "{name: a, username: u, password: abc,Hunter: Tiger, interval: 1h}",
    '{name: a, username: u, password: "abc",Hunter: "Tiger"}',
    "{name: a, username: u, password: abc,Hunter: {x: Tiger}}",
    "{name: a, username: u, password: abc,Hunter: [x]}",
    "{name: a, username: u, password: abc,Hunter: Tiger,Hunter: x}",
    "{name: a, username: u, password: 12,345}",
    "{name: a, username: u, password_file: abc,Hunter: Tiger}",
    "{name: a, username: u, password_env: abc,Hunter: Tiger}",
    "{name: a, username: u, pasword: abc,Hunter: Tiger}",
    "{name: a, username: u, contraseña: abc,Hunter: Tiger}",
    "{name: a, username: u, password: abc,hunterval: 5m}",
    "{name: a, username: u, password: &Hunter abc}",
    "{name: a, username: u, password: *Hunter }",
    "{name: a, username: u, password: !Hunter abc}",
    "{name: a, username: u, ? password : abc,Hunter: Tiger}",
    "{name: a, username: u, password: {abc,Hunter: Tiger}}",
    "{name: a, username: u, password: [abc,Hunter: Tiger]}",
    "{name: a, username: u, password: abc,\n   Hunter: Tiger}",
    "name: a\n  username: u\n  password: abc\n  Hunter: Tiger",
    "name: a\n  username: u\n  password: abc\nHunter: Tiger",
    "name: a\n  username: u\n  password:\n    Hunter: Tiger",
    "name: a\n  username: u\n  password: abc: Hunter",
    "name: a\n  username: u\n  password: abc\n    Hunter: Tiger",
    "name: a\n  username: u\n  password: 'abc'Hunter: Tiger'",
    "name: a\n  username: u\n  password: |\n    abc\n   Hunter: Tiger",
]


@pytest.mark.parametrize("account", PIECES)
@pytest.mark.usefixtures("folder")
def test_no_piece_of_a_password_shows(account: str) -> None:
    """However YAML splits it: neither as a key, nor as a value, nor by what was probably meant."""
    errors = str(errors_of(f"accounts:\n- {account}\n")).lower()
    assert "hunter" not in errors
    assert "tiger" not in errors
    assert "345" not in errors
    assert "interval?" not in errors


@pytest.mark.usefixtures("folder")
def test_no_piece_of_a_proxys_password_shows() -> None:
    x = "{wsdl: 'https://x', proxy_url: http://user:abc,Hunter: Tiger@proxy.example:3128}"
    errors = str(errors_of(f"environments:\n  x: {x}\n"))
    assert "unknown key (not shown" in errors
    assert "Hunter" not in errors
    assert "Tiger" not in errors


@pytest.mark.parametrize(
    ("account", "error"),
    [
        ("{name: a, intervall: 1h, username: u, password: x}", "2: accounts[0].intervall: unknown key, did"),
        ("{name: a, zzz: 1, username: u, password: x}", "2: accounts[0].zzz: unknown key"),
        (
            "name: a\n  username: u\n  password: x\n  intervall: 1h",
            "5: accounts[0].intervall: unknown key, did",
        ),
        ("name: a\n  zzz: 1\n  username: u\n  password: x", "3: accounts[0].zzz: unknown key"),
        (
            "{name: a, username: u, password: x, thresholds: {warn: 5}}",
            "2: accounts[0].thresholds.warn: unknown key, did",
        ),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_typing_error_is_named(account: str, error: str) -> None:
    """What can't be a piece of a secret, or resembles a key in a line of its own, is named."""
    (found,) = errors_of(f"accounts:\n- {account}\n")
    assert found.startswith(f"config.yaml:{error}")


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("/run/secrets/hunter2", "looked for /run/secrets/hunter2"),
        ("secrets/acme", "looked for FOLDER/secrets/acme"),
        ("../acme", "looked for FOLDER/../acme"),
        ("acme.txt", "looked for FOLDER/acme.txt"),
        ("there/Acme!", "looked for FOLDER/there/Acme!"),
        ("Hunter2!", "looked in FOLDER"),
        ("hunter2", "looked in FOLDER"),
        ("aB/Hunter2=", "looked in FOLDER"),
        ("/Hunter2!", "looked in /"),
    ],
)
def test_where_a_password_file_was_looked_for(folder: Path, name: str, where: str) -> None:
    """The whole path, unless it may be the password itself that somebody put there."""
    (folder / "there").mkdir()
    errors = errors_of(f"accounts: [{{name: a, username: u, password_file: '{name}'}}]")
    text = f"No such file or directory: {where.replace('FOLDER', str(folder))}"
    assert errors == [f"config.yaml:1: accounts[0].password_file: {text}"]


FORMS = (
    "accounts: [{{name: a, username: u, password: {0}}}]",
    "accounts: [{{name: a, username: u, password: {0}, interval: 5m}}]",
    'accounts: [{{name: a, username: u, password: "{0}"}}]',
    "accounts: [{{name: a, username: u, password: '{0}'}}]",
    "accounts: [{{name: a, username: u, passwort: {0}}}]",
    "accounts:\n- name: a\n  username: u\n  password: {0}\n  interval: 5m",
    "environments: {{x: {{wsdl: 'https://x', proxy_url: http://u:{0}@h:1}}}}\naccounts: []",
)
JOINTS = st.text("#,: []{}&*!|>'\"%@`-?=~$", min_size=1, max_size=3) | st.sampled_from(
    [",", ": ", ", ", ",x: "]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.sampled_from(FORMS), st.lists(JOINTS, min_size=1, max_size=3))
def test_a_password_that_yaml_takes_apart(folder: Path, form: str, joints: list[str]) -> None:
    """Whatever is in it, and wherever it stands, no message has a piece of it."""
    password = "".join(f"Hunter{number}{joint}" for number, joint in enumerate(joints)) + "Tiger"
    path = folder / "config.yaml"
    path.write_text(form.format(password))
    try:
        shown = repr(load(path, {}))
    except ConfigError as error:
        shown = str(error)
    assert "Hunter" not in shown
    assert "Tiger" not in shown
