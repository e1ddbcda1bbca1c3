"""No secret shows anywhere: the exporter goes through every failure, then all that it produced is searched.

A secret here has a distinctive part, and is searched for by each eight characters of that: so it is found in
whatever text, file or encoding, whole or in part. The first tests prove that the search can find one.
"""

import base64
import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import ssl
import string
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
import trustme

from tests.support.peers import Daemon, DaemonFactory, eventually
from tests.support.peers.hostile import HostileProvider
from tests.support.peers.misbehaviour import (
    ANSWERS,
    HANDSHAKES,
    UNASKED,
    WSDLS,
    Case,
    answers,
    echoes,
    envelope,
    xml,
)

PART = 8  # characters of a secret that are too many to show


def token(name: str) -> str:
    """The distinctive part of an account's password: letters and digits, which no encoding changes."""
    chosen = random.Random(f"secret of {name}")  # noqa: S311 - it must be the same in each run
    return "".join(chosen.choices(string.ascii_letters + string.digits, k=20))


def password(name: str) -> str:
    """A password with all that some encoding or escaping changes."""
    return f"<{token(name)[:10]}{token(name)[10:]}&\"'%41 ñ€\\\r\n$]]>"


# The search


def encodings(part: str) -> Iterator[bytes]:
    """A part of a secret in the forms that it can be written in; XML, URLs and JSON don't change it."""
    data = part.encode()
    yield data
    yield data[::-1]
    yield data.lower()
    yield data.upper()
    yield data.hex().encode()
    yield data.hex().upper().encode()
    yield part.encode("utf-16-le")
    yield part.encode("utf-16-be")
    yield "".join(f"%{byte:02X}" for byte in data).encode()
    yield "".join(f"&#{byte};" for byte in data).encode()
    yield "".join(f"\\x{byte:02x}" for byte in data).encode()
    for shift in range(3):
        # The first and the last character also hold bits of what stands around the part.
        whole = base64.b64encode(b"\0" * shift + data).rstrip(b"=")
        yield whole[(shift * 8 + 5) // 6 : (shift + len(data)) * 8 // 6]


def leaked(produced: Mapping[str, bytes], names: Iterable[str]) -> list[str]:
    """Which secrets stand where, in words that don't tell them."""
    needles = [
        (name, needle)
        for name in names
        for start in range(len(token(name)) - PART + 1)
        for needle in encodings(token(name)[start : start + PART])
    ]
    found: dict[str, None] = {}
    for place, text in produced.items():
        windows = {text[start : start + PART] for start in range(len(text) - PART + 1)}
        for name, needle in needles:
            if needle[:PART] in windows and needle in text:
                found[f"secret of {name} in {place}"] = None
    return list(found)


FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "in capitals": lambda secret: secret.upper().encode(),
    "reversed": lambda secret: secret[::-1].encode(),
    "XML": lambda secret: escape(secret, {'"': "&quot;", "\r": "&#13;"}).encode(),
    "XML references": lambda secret: "".join(f"&#{ord(one)};" for one in secret).encode(),
    "URL": lambda secret: quote(secret, safe="").encode(),
    "form": lambda secret: quote_plus(secret).encode(),
    "URL, each byte": lambda secret: "".join(f"%{byte:02X}" for byte in secret.encode()).encode(),
    "JSON": lambda secret: json.dumps(secret).encode(),
    "JSON as it is": lambda secret: json.dumps(secret, ensure_ascii=False).encode(),
    "Python": lambda secret: repr(secret).encode(),
    "Python bytes": lambda secret: repr(secret.encode()).encode(),
    "escapes": lambda secret: "".join(f"\\x{byte:02x}" for byte in secret.encode()).encode(),
    "hex": lambda secret: secret.encode().hex().encode(),
    "HEX": lambda secret: secret.encode().hex().upper().encode(),
    "UTF-16": lambda secret: secret.encode("utf-16"),
    "latin-1": lambda secret: secret.encode("latin-1", "replace"),
    "base64": lambda secret: base64.b64encode(secret.encode()),
    "base64, shifted by one": lambda secret: base64.b64encode(b"u" + secret.encode()),
    "base64, shifted by two": lambda secret: base64.b64encode(b"u:" + secret.encode()),
    "base64 for URLs": lambda secret: base64.urlsafe_b64encode(secret.encode()),
    "the first of it": lambda secret: secret[1 : 1 + PART].encode(),
    "the middle of it": lambda secret: secret[5 : 5 + PART].encode(),
    "cut": lambda secret: secret[: 1 + PART].encode() + b"...",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_search_finds_a_secret_in_each_form(form: Callable[[str], bytes]) -> None:
    planted = b"time=now msg=polled " * 50 + form(password("planted")) + b" account=x\n" * 50
    assert leaked({"the log": planted}, ["another", "planted"]) == ["secret of planted in the log"]


def test_the_search_finds_nothing_where_nothing_is() -> None:
    text = random.Random(1).randbytes(200_000)  # noqa: S311
    places = {"bytes": text, "hex": text.hex().encode(), "base64": base64.b64encode(text), "nothing": b""}
    assert leaked(places, [f"account-{number}" for number in range(200)]) == []


def test_the_collection_holds_what_the_exporter_writes_and_keeps(daemon: DaemonFactory) -> None:
    """A program that does leak: on both streams, in its command line, its environment and its storage."""
    config = configuration({"none": {"wsdl": "http://127.0.0.1:1/"}}, {"healthy": "none"})
    environ = {name: password(name) for name in ("stdout", "stderr", "storage", "environ")}
    exporter = daemon(config, command=(sys.executable, "-c", LEAKING, password("cmdline")), env=environ)
    produced = collected(exporter, list(environ.values())[:3]) | pages(exporter)
    assert exporter.stop() == 0
    assert leaked(produced, [*environ, "cmdline"]) == [
        "secret of stdout in the log",
        "secret of stderr in the log",
        "secret of storage in daemon-1.db-kept",
        "secret of cmdline in the command line",
        "secret of cmdline in ps",
        "secret of environ in the environment",
    ]


# The exporter

LEAKING = """
import os, sys
from pathlib import Path
sys.argv.pop(1)
print(os.environ["stdout"])
print(os.environ["stderr"], file=sys.stderr)
path = next(flag for flag in sys.argv if flag.startswith("--storage.path=")).partition("=")[2]
Path(path + "-kept").write_text(os.environ["storage"])
from exporter.cli.main import run; run()
"""

CRASHING_POLLS = """
from exporter.provider.solucion_factible.provider import SolucionFactible
ask = SolucionFactible.ask

async def crash(self, balance, gate):
    async def send(permit):
        password = permit.password().reveal()
        envelope = f"<password>{password}</password>"
        try:
            raise ValueError(envelope)
        except ValueError as error:
            raise RuntimeError(password, balance, envelope) from error

    if not balance.account.name.startswith("crash"):
        return await ask(self, balance, gate)
    return await gate.attempt(balance.login, send)

SolucionFactible.ask = crash
from exporter.cli.main import run; run()
"""
"""The exporter with a bug: the exceptions of some polls tell the password."""

CRASHING_PAGES = """
import os
from exporter.web import application as web

def crash(accept):
    raise RuntimeError(os.environ["page"])

web.prefers_openmetrics = crash
from exporter.cli.main import run; run()
"""
"""The exporter with a bug: a scrape ends in an exception that tells a secret."""

CHECKS = """
import sys
from exporter.cli.main import main
print([main(["--config.check", f"--config.file={path}"]) for path in sys.argv[1:]])
"""
"""Checks several configurations; prints the exit codes."""


def _refusal(code: int, secret: str) -> bytes:
    return xml(envelope(status=code, mensaje=escape(secret)))


REFUSALS = tuple(
    Case(f"refused-{code}", code, echoes(partial(_refusal, code)))
    for code in (500, 503, 601, 602, 603, 611, 633, 777)
)
TOLD = (*ANSWERS, *UNASKED, *REFUSALS)
CRASHES = ("crash", "crash-2")

BROKEN: dict[str, str] = {
    "a quote that never ends": 'accounts:\n- name: a\n  username: u\n  password: "{}\n',
    "a colon": "accounts:\n- {{name: a, username: u, password: x: {}}}\n",
    "no space after the colon": "accounts:\n- name: a\n  username: u\n  password:{}\n",
    "an alias": "accounts:\n- {{name: a, username: u, password: *{} }}\n",
    "an anchor": "accounts:\n- {{name: a, username: u, password: &{} }}\n",
    "a tag": "accounts:\n- {{name: a, username: u, password: !{} x}}\n",
    "a directive": "%{}\n---\naccounts: []\n",
    "a tab": "accounts:\n- name: a\n\tpassword: {}\n",
    "a character that YAML can't hold": 'accounts:\n- {{name: a, username: u, password: "{}\x01"}}\n',
    "an escape that YAML doesn't know": 'accounts:\n- {{name: a, username: u, password: "\\q{}"}}\n',
    "a character that XML can't hold": 'accounts:\n- {{name: a, username: u, password: "{}\\u0001"}}\n',
    "a list": "accounts:\n- {{name: a, username: u, password: [{}]}}\n",
    "a mapping": "accounts:\n- {{name: a, username: u, password: {{x: {}}}}}\n",
    "a mapping by it": "accounts:\n- {{name: a, username: u, password: {{{}: x}}}}\n",
    "twice": "accounts:\n- {{name: a, username: u, password: {0}, password: {0}}}\n",
    "two passwords": "accounts:\n- {{name: a, username: u, password: {}, password_env: HOME}}\n",
    "a key misspelt": "accounts:\n- {{name: a, username: u, pasword: {}}}\n",
    "a key that doesn't belong": "password: {}\naccounts: []\n",
    "in the defaults": "global: {{password: {}}}\naccounts: []\n",
    "an account that is no mapping": "accounts: [{}]\n",
    "accounts that are no list": "accounts: {}\n",
    "nothing else": "{}\n",
    "of a proxy": "environments: {{x: {{proxy_url: 'ftp://u:{}@127.0.0.1:1'}}}}\naccounts: []\n",
    "of a proxy without a port": "environments: {{x: {{proxy_url: 'http://u:{}@127.0.0.1:99999'}}}}\n",
    "of a proxy's list": "environments: {{x: {{proxy_url: ['http://u:{}@127.0.0.1']}}}}\naccounts: []\n",
    "in the WSDL's address": "environments: {{x: {{wsdl: 'http://u:{}@127.0.0.1:x/'}}}}\naccounts: []\n",
}
"""Configurations that are wrong at a secret, which stands at the braces."""

SETTINGS: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    "logfmt": ("logfmt", (), {"PYTHONASYNCIODEBUG": "1", "AIOHTTP_DEBUG": "1"}),
    "json, all for finding bugs": (
        "json",
        ("-X", "dev", "-W", "always"),
        {"AIOHTTP_NO_EXTENSIONS": "1", "MULTIDICT_NO_EXTENSIONS": "1"},
    ),
}


def configuration(environments: Mapping[str, object], accounts: Mapping[str, str], **more: object) -> str:
    return json.dumps(
        {
            "global": {"interval": "2s", "timeout": "1s"},
            "environments": environments,
            "accounts": [
                {"name": name, "username": name, "environment": environment, **secret_of(name)}
                for name, environment in accounts.items()
            ],
            **more,
        }
    )


def secret_of(name: str) -> dict[str, str]:
    kinds = {"file": {"password_file": "file.secret"}, "environment": {"password_env": "ACCOUNT_SECRET"}}
    return kinds.get(name, {"password": password(name)})


def collected(exporter: Daemon, given: Iterable[str]) -> dict[str, bytes]:
    """All that a running exporter has written and shows to the system.

    What its environment was ``given`` is left out.
    """
    process = Path("/proc") / str(exporter.pid)
    environ = (process / "environ").read_bytes()
    for value in given:
        environ = environ.replace(value.encode(), b"")
    ps = subprocess.run(
        ["ps", "-ww", "-f", "-p", str(exporter.pid)], capture_output=True, check=True, timeout=10
    )
    directory = exporter.config_file.parent
    return {
        "the log": exporter.log_file.read_bytes(),
        **{path.name: path.read_bytes() for path in sorted(directory.glob("*.db*"))},
        "the command line": (process / "cmdline").read_bytes(),
        "ps": ps.stdout,
        "the environment": environ,
    }


def pages(exporter: Daemon) -> dict[str, bytes]:
    """All that it serves."""
    found = {}
    for path, accept in (
        ("/metrics", "text/plain"),
        ("/metrics", "application/openmetrics-text; version=1.0.0"),
        ("/", "*/*"),
        ("/config", "*/*"),
        ("/-/healthy", "*/*"),
        ("/-/ready", "*/*"),
        ("/favicon.ico", "*/*"),
        ("/debug/pprof", "*/*"),
    ):
        answer = exporter.get(path, {"Accept": accept})
        found[f"{path} as {accept}"] = answer.headers.as_bytes() + answer.body
    for path in ("/-/reload", "/-/resume?account=refused-601", "/-/resume?account=nobody", "/metrics"):
        answer = exporter.post(path)
        found[f"POST {path}"] = answer.headers.as_bytes() + answer.body
    return found


def output(command: Sequence[str], directory: Path, env: Mapping[str, str]) -> bytes:
    """What a command writes on both streams."""
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize(("form", "python", "debugging"), SETTINGS.values(), ids=SETTINGS)
def test_no_secret_shows_through_all_failures(
    daemon: DaemonFactory, tmp_path: Path, form: str, python: tuple[str, ...], debugging: dict[str, str]
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    respond = {case.name: case.respond for case in TOLD} | dict.fromkeys(("file", "environment"), answers())
    documents = {f"/{case.name}": case.respond for case in WSDLS}
    (tmp_path / "file.secret").write_text(password("file"))
    env = {"ACCOUNT_SECRET": password("environment")}
    with HostileProvider(respond | {case.name: answers() for case in WSDLS}, documents) as provider:
        environments: dict[str, object] = {
            "hostile": {"wsdl": provider.wsdl(), "concurrency": 1000},
            "proxied": {
                "wsdl": "https://pac.example/",
                "proxy_url": f"http://user:{token('proxy')}@127.0.0.1:{closed_port()}",
            },
            **{case.name: {"wsdl": provider.wsdl(path=f"/{case.name}")} for case in WSDLS},
        }
        for case in HANDSHAKES:
            provider.listen(case.name, greet=case.respond)
            environments[case.name] = {"wsdl": provider.wsdl(case.name, scheme="https")}
        stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("pac.example").configure_cert(stranger)
        provider.listen("certificate", stranger)
        tls = {"wsdl": provider.wsdl("certificate", scheme="https"), "tls_config": {"ca_file": "ca.pem"}}
        environments["certificate"] = tls
        accounts = {
            **{case.name: "hostile" for case in TOLD},
            **dict.fromkeys(("file", "environment", *CRASHES), "hostile"),
            **{case.name: case.name for case in (*WSDLS, *HANDSHAKES)},
            "certificate": "certificate",
            "proxied": "proxied",
        }
        config = configuration(environments, accounts)
        exporter = daemon(
            config,
            "--log.level=debug",
            f"--log.format={form}",
            "--web.enable-lifecycle",
            env=env | debugging,
            command=(sys.executable, *python, "-c", CRASHING_POLLS),
        )
        eventually(lambda: accounts_told(exporter) >= set(accounts), 60)
        produced = pages(exporter)
        for name in ("echo-in-a-fault", "refused-601", "nobody"):
            command = [sys.executable, *python, "-m", "exporter", "check", name, "--log.level=debug"]
            flags = [f"--config.file={exporter.config_file}", f"--storage.path={tmp_path}/daemon-1.db"]
            produced[f"check {name}"] = output([*command, *flags], tmp_path, env | debugging)
        for what, broken in BROKEN.items():
            exporter.config_file.write_text(broken.format(token("broken")))
            answer = exporter.post("/-/reload")
            assert answer.status == 400, what
            produced[f"reload with {what}"] = answer.body
        exporter.send(signal.SIGHUP)
        produced |= {f"{place} later": text for place, text in pages(exporter).items()}
        produced |= collected(exporter, env.values())
        assert exporter.stop() == 0
        produced["the log to the end"] = exporter.log_file.read_bytes()
    assert leaked(produced, (*accounts, "broken", "proxy")) == []
    assert exporter.log.count("poll crashed") >= len(CRASHES)
    assert fingerprints(tmp_path / "daemon-1.db") > 0


@pytest.mark.process
def test_no_secret_shows_in_the_errors_of_a_configuration(tmp_path: Path) -> None:
    for number, broken in enumerate(BROKEN.values()):
        (tmp_path / f"{number}.yaml").write_text(broken.format(token("broken")))
    files = [f"{number}.yaml" for number in range(len(BROKEN))]
    written = output([sys.executable, "-X", "dev", "-c", CHECKS, *files], tmp_path, {})
    assert written.endswith(f"{[2] * len(BROKEN)}\n".encode()), written.decode()
    assert leaked({"the errors": written}, ["broken"]) == []


def test_no_secret_shows_on_a_page_that_crashed(daemon: DaemonFactory) -> None:
    config = configuration({"none": {"wsdl": "http://127.0.0.1:1/"}}, {"healthy": "none"})
    env = {"page": password("page"), "PYTHONASYNCIODEBUG": "1"}
    exporter = daemon(config, "--log.level=debug", command=(sys.executable, "-c", CRASHING_PAGES), env=env)
    answer = exporter.get("/metrics")
    if answer.status != 500:
        raise RuntimeError("it did not crash")
    assert leaked({"the page": answer.body, "the log": exporter.log.encode()}, ["page"]) == []


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def accounts_told(exporter: Daemon) -> set[str]:
    """The accounts that the log says something of."""
    log = exporter.log.replace('"account": "', "account=").replace('"', " ")
    return {line.split("account=")[1].split()[0] for line in log.splitlines() if "account=" in line}


def fingerprints(path: Path) -> int:
    """How many the storage holds: that it was searched with something in it."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM credential WHERE digest IS NOT NULL").fetchone()[0])
