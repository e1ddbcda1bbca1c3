"""Configurations for tests: short ways to spell and to load them, and what several tests need beside them."""

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from exporter.config import Config, ConfigError, load
from exporter.simulator import PASSWORD
from tests.support.places import DATA

CONFIGS = DATA / "config"


FULL = "name: a, username: u, password: hunter2"
ENVIRON = {
    "SET": "hunter2 from the environment",
    "EMPTY": "",
    "CONTROL": "hunter2\x01",
    "NOT_UTF8": "hunter2\udcff",
}


def load_text(text: str) -> Config:
    """Load a configuration from config.yaml in the working directory."""
    Path("config.yaml").write_text(text, encoding="utf-8")
    return load(Path("config.yaml"), ENVIRON)


def errors_of(text: str) -> list[str]:
    """What `load` says of it."""
    with pytest.raises(ConfigError) as raised:
        load_text(text)
    assert str(raised.value) == "\n".join(raised.value.errors)
    return list(raised.value.errors)


def account(more: str) -> str:
    """A configuration with one account, sound but for what is added to it."""
    return f"accounts:\n- {{{FULL}, {more}}}\n"


def environment(keys_of_x: str) -> str:
    """A configuration with one environment besides the built-in ones."""
    return f"environments:\n  x: {{{keys_of_x}}}\naccounts: [{{{FULL}}}]\n"


def config(wsdl: str, *accounts: str, interval: str = "1s", extra: str = "", environment: str = "") -> str:
    """Return a configuration for accounts by their usernames, with the simulator's password."""
    lines = [
        f"global: {{environment: peer, interval: {interval}{extra}}}",
        f'environments: {{peer: {{wsdl: "{wsdl}"{environment}}}}}',
        "accounts:",
        *(
            f"- {{name: {name.partition('@')[0]}, username: {name}, password: {PASSWORD}}}"
            for name in accounts
        ),
    ]
    return "\n".join(lines) + "\n"


def make_certificates(folder: Path) -> None:
    """ca.pem, client.pem and client.key, and encrypted.key that needs a passphrase."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    client = authority.issue_cert("client.example")
    client.cert_chain_pems[0].write_to_path(folder / "client.pem")
    client.private_key_pem.write_to_path(folder / "client.key")
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"hunter2")
    formats = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "encrypted.key").write_bytes(key.private_bytes(*formats, encryption))
