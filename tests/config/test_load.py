"""The configuration: what a good file becomes."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from exporter.config import Account, Environment, TlsConfig, load
from exporter.secret import Secret
from tests.support.configs import CONFIGS, ENVIRON, environment, errors_of, load_text, make_certificates


@pytest.mark.usefixtures("folder")
def test_defaults() -> None:
    """The least that one can write."""
    config = load_text("accounts: [{name: a, username: U@x, password: hunter2}]")
    production = Environment(
        "production", "https://solucionfactible.com/ws/services/Utilerias?wsdl", False, 4, None, TlsConfig()
    )
    assert config.accounts == (
        Account("a", "U@x", Secret("hunter2"), production, 900, 60, 2700, 2, None, None, ()),
    )
    assert config.accounts[0].guard_key == "solucionfactible.com:443 u@x"
    assert list(config.environments) == ["production", "testing"]
    assert config.environments["testing"].host_port == "testing.solucionfactible.com:443"
    assert config.warnings == ()


@pytest.mark.usefixtures("folder")
def test_everything_can_be_set() -> None:
    """An account's own value goes before the global one, that before the default."""
    config = load_text(
        """
global: {environment: x, interval: 2s, timeout: 1s, stale_after: 1h, auth_attempts: 1}
environments:
  x: {wsdl: 'HTTP://127.0.0.1:8099/ws?wsdl', concurrency: 7, proxy_url: 'http://localhost.:3128'}
accounts:
- {name: '<script>alert(1)</script>', username: u, password_env: SET, labels: {team: "", area: ñ}}
- {name: b, username: b, password: p, interval: 1m, timeout: 2s, stale_after: 1d, auth_attempts: 3,
   thresholds: {warning: 0}, environment: testing}
"""
    )
    x = Environment(
        "x", "http://127.0.0.1:8099/ws?wsdl", False, 7, Secret("http://localhost.:3128"), TlsConfig()
    )
    first, second = config.accounts
    assert first == Account(
        "<script>alert(1)</script>",
        "u",
        Secret(ENVIRON["SET"]),
        x,
        2,
        1,
        3600,
        1,
        None,
        None,
        (("area", "ñ"), ("team", "")),
        "password_env: SET",
    )
    assert (second.interval, second.timeout, second.stale_after, second.auth_attempts) == (60, 2, 86400, 3)
    assert (second.warning, second.critical, second.environment.name) == (0, None, "testing")


@pytest.mark.usefixtures("folder")
def test_templates() -> None:
    """Anchors, aliases and merges make templates; an account's own keys win."""
    config = load_text((CONFIGS / "templates.yaml").read_text())
    first, second = config.accounts
    assert (first.name, second.name, second.username) == ("a", "b", "b@x")
    assert second.labels == first.labels == (("team", "billing"),)
    assert second.environment.host_port == "staging.example:8443"
    assert second.environment.concurrency == 8


@pytest.mark.usefixtures("folder")
def test_account_files() -> None:
    """Files in the order of their names, each once; messages name them as seen in the working directory."""
    Path("conf/accounts.d").mkdir(parents=True)
    Path("conf/accounts.d/b.yaml").write_text("- {name: b, username: b, password_file: b.txt}\n")
    Path("conf/accounts.d/a.yaml").write_text("- {name: a, username: a, password: hunter2}\n")
    Path("conf/accounts.d/empty.yaml").write_text("")
    Path("conf/accounts.d/.hidden.yaml").write_text("hunter2")
    Path("conf/b.txt").write_text("hunter2\n")
    Path("conf/config.yaml").write_text(
        "account_files: [accounts.d/*.yaml, accounts.d/a.yaml, none/*.yaml]\n"
    )
    config = load(Path("conf/config.yaml"), {})
    assert [account.name for account in config.accounts] == ["a", "b"]
    names = ["config.yaml", "accounts.d/a.yaml", "accounts.d/b.yaml", "accounts.d/empty.yaml", "b.txt"]
    assert config.files == tuple(Path("conf") / name for name in names)
    assert config.warnings == ("conf/config.yaml: account_files[2]: matches no file",)
    assert config.account_globs == ("conf/accounts.d/*.yaml", "conf/accounts.d/a.yaml", "conf/none/*.yaml")


@pytest.mark.usefixtures("folder")
def test_no_account_yet() -> None:
    """A directory of account files may still be empty when the exporter starts."""
    config = load_text("account_files: ['accounts.d/*.yaml']")
    assert config.accounts == ()
    assert config.warnings == ("config.yaml: account_files[0]: matches no file",)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b" hunter2 \t\n\n", " hunter2 \t\n"),
        (b"hunter2\r", "hunter2\r"),
        ("contraseña $HOME\n".encode(), "contraseña $HOME"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_password_file(content: bytes, password: str) -> None:
    """One line end goes, nothing else does, and nothing is expanded."""
    Path("secret").write_bytes(content)
    config = load_text("accounts: [{name: a, username: u, password_file: secret}]")
    assert config.accounts[0].password == Secret(password)
    assert config.accounts[0].password_source == "password_file: secret"


@pytest.mark.parametrize(
    ("wsdl", "host_port"),
    [
        ("https://Example.COM/x", "example.com:443"),
        ("https://example.com.:443/x", "example.com:443"),
        ("http://[::1]/x", "[::1]:80"),
        ("http://127.9.9.9:8099/x", "127.9.9.9:8099"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_host_port(wsdl: str, host_port: str) -> None:
    """However the address is written, the provider is the same."""
    assert load_text(environment(f"wsdl: '{wsdl}'")).environments["x"].host_port == host_port


@pytest.mark.usefixtures("folder")
def test_one_username_at_two_providers() -> None:
    """The provider counts its own logins only."""
    first = "- {name: a, username: u, password: x}"
    second = "- {name: b, username: u, password: x, environment: testing}"
    assert len(load_text(f"accounts:\n{first}\n{second}\n").accounts) == 2


@pytest.mark.usefixtures("folder")
def test_warnings() -> None:
    """What is allowed and seldom meant; a remark on a global value comes once, not for each account."""
    config = load_text(
        """
global: {stale_after: 10m}
environments:
  x: {wsdl: 'http://10.0.0.1/', allow_plaintext: true, tls_config: {insecure_skip_verify: true}}
  y: {wsdl: 'http://127.0.0.1/', allow_plaintext: true, proxy_url: 'http://10.0.0.1:3128'}
  z: {wsdl: 'http://127.0.0.1/', allow_plaintext: true}
accounts:
- {name: a, username: a, password: hunter2}
- {name: b, username: b, password: hunter2}
- {name: c, username: c, password: hunter2, interval: 1m, timeout: 2m}
"""
    )
    assert config.warnings == (
        (
            "config.yaml: environments.x.tls_config.insecure_skip_verify: any certificate is accepted: "
            "whoever is in between can read the passwords"
        ),
        "config.yaml: environments.x.allow_plaintext: passwords to this environment travel in clear",
        "config.yaml: environments.x.tls_config: has no effect: the wsdl is an http:// address",
        "config.yaml: environments.y.allow_plaintext: passwords to this environment travel in clear",
        (
            "config.yaml: global.stale_after: shorter than an interval it applies to: "
            "balances vanish between two polls"
        ),
        (
            "config.yaml: accounts[2].timeout: longer than an interval it applies to: "
            "a slow answer delays the next poll"
        ),
    )


def test_tls_files(folder: Path) -> None:
    """They are loaded while the configuration is checked, and a key with a passphrase asks nobody."""
    make_certificates(folder)
    files = "wsdl: 'https://x', tls_config: {ca_file: ca.pem, cert_file: client.pem, key_file: %s}"
    config = load_text(environment(files % "client.key"))
    named = Path("ca.pem"), Path("client.pem"), Path("client.key")
    assert config.environments["x"].tls == TlsConfig(*named)
    assert set(named) < set(config.files)
    place = "config.yaml:2: environments.x.tls_config"
    assert errors_of(environment(files % "encrypted.key")) == [
        f"{place}.key_file: is encrypted: give a key without a passphrase"
    ]
    assert errors_of(environment(files % "ca.pem")) == [
        f"{place}.cert_file: doesn't load together with key_file, or isn't PEM"
    ]


@pytest.mark.usefixtures("folder")
def test_ten_thousand_accounts() -> None:
    """A good file of that size loads in a second or two; the limit leaves room for a busy machine."""
    one = (
        "- name: account-{0}\n  username: ws{0}@acme.example\n  password: 'hunter2${0}'\n  interval: 1h\n"
        "  thresholds: {{warning: 500, critical: 100}}\n  labels: {{team: billing}}\n"
    )
    begin = time.process_time()
    config = load_text("accounts:\n" + "".join(one.format(number) for number in range(10_000)))
    assert len(config.accounts) == 10_000
    assert time.process_time() - begin < 15


@pytest.mark.process
def test_the_model_is_cheap_to_import() -> None:
    """What needs only the dataclasses doesn't pay for reading YAML."""
    code = "import sys, exporter.config.model; print({'pydantic', 'yaml'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert printed.stdout == "set()\n"
