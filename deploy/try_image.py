#!/usr/bin/env python3
"""Runs an image without an engine, the way one should: read-only, as its user, without a capability.

Usage: buildah inspect --type image IMAGE | unshare --mount --net deploy/try_image.py ROOT
ROOT is the image's content. Its network has nothing but loopback, which Debian's iproute2 brings up.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

STATE = "var/lib/cfdi-stamps-exporter"
CONFIG = "etc/cfdi-stamps-exporter"
URL = "http://127.0.0.1:10520"
WSDL = "http://127.0.0.1:8099/ws/services/Utilerias?wsdl"
TOOLS = re.compile(r"pip[0-9.]*|(pip|setuptools|wheel|flit_core)(-.*)?|ensurepip|cc|gcc|g\+\+|ld|make")
OWN_CONFIG = f"""\
environments: {{simulated: {{wsdl: "{WSDL}"}}}}
global: {{environment: simulated, interval: 1s}}
accounts: [{{name: acme, username: healthy@demo.example, password_file: acme}}]
"""


class Image:
    """An image's content, mounted read-only but for its state, and what it says of running it."""

    def __init__(self, root: Path, config: dict[str, Any], scratch: Path) -> None:
        self.root, self.config = root, config
        self.state, self.etc = scratch / "state", scratch / "etc"
        self.user = config["User"].split(":")
        self.entrypoint: list[str] = config["Entrypoint"]
        self.health: list[str] = config["Healthcheck"]["Test"][1:]

    def mount(self) -> None:
        """Lay out the file system; it goes with the namespace of this process."""
        self.etc.mkdir()
        self.state.mkdir(mode=0o700)
        run("chown", ":".join(self.user), str(self.state))
        run("mount", "--bind", str(self.root), str(self.root))
        run("mount", "--options", "remount,bind,ro", str(self.root))
        run("mount", "--bind", str(self.state), str(self.root / STATE))
        run("mount", "--bind", str(self.etc), str(self.root / CONFIG))
        run("mount", "--rbind", "/dev", str(self.root / "dev"))
        run("mount", "--types", "proc", "proc", str(self.root / "proc"))

    def command(self, *command: str) -> list[str]:
        """Return how a command is run in it."""
        user, group = self.user
        rights = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
        rights += ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
        where = ["env", "--ignore-environment", f"--chdir=/{STATE}", *self.config["Env"]]
        return ["chroot", str(self.root), *rights, *where, *command]

    @contextmanager
    def running(self, *flags: str, url: str = URL) -> Iterator[int]:
        """Run the entry point until the block ends; give its process id. It must then end well."""
        with subprocess.Popen(self.command(*self.entrypoint, *flags)) as process:  # noqa: S603
            try:
                await_page(url)
                yield process.pid
            finally:
                process.terminate()
        check(process.returncode == 0, f"{' '.join(flags) or 'daemon'}: SIGTERM ends it with 0")


def run(*command: str) -> None:
    """Run a program that must succeed."""
    subprocess.run(command, check=True)  # noqa: S603


def check(holds: bool, what: str) -> None:
    """Say what holds; end where it doesn't."""
    print("ok  " if holds else "NOT ", what, flush=True)  # noqa: T201
    if not holds:
        sys.exit(1)


def page(url: str) -> str:
    """Return a page of the exporter."""
    with urlopen(url, timeout=10) as answer:  # noqa: S310 - http, on loopback
        text: str = answer.read().decode()
    return text


def await_page(url: str, pattern: str = "") -> str:
    """Wait for a page to be there and to match; return it."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if re.search(pattern, text := page(url), re.MULTILINE):
                return text
        except OSError:
            pass
        if time.monotonic() > deadline:
            sys.exit(f"{url}: no {pattern or 'answer'} within a minute")
        time.sleep(0.1)


def try_content(image: Image) -> None:
    """Nothing to install or build with is in it."""
    entries = [path.relative_to(image.root) for path in image.root.rglob("*")]
    found = [path for path in entries if TOOLS.fullmatch(path.name) and not path.is_relative_to("usr/share")]
    check(not found, f"nothing to install or build with among {len(entries)} files: {found}")


def try_rights(image: Image, pid: int) -> None:
    """The process has no capability, and can write in one place."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    check(status["Uid"].split() == [image.user[0]] * 4, f"uid {status['Uid']}")
    capabilities = {name: value for name, value in status.items() if name.startswith("Cap")}
    check(not any(int(value, 16) for value in capabilities.values()), f"no capabilities: {capabilities}")
    search = image.command("find", "/", "-xdev", "-type", "d", "-writable")  # and where others are mounted
    places = subprocess.run(search, capture_output=True, text=True, check=False).stdout.split()  # noqa: S603
    check(places == [f"/{STATE}"], f"the only place to write: {places}")


def try_demo(image: Image) -> None:
    """The demonstration shows balances and is healthy."""
    with image.running("demo") as pid:
        metrics = await_page(f"{URL}/metrics", r"^cfdi_stamps_available\{")
        check(
            f'revision="{image.config["Labels"]["org.opencontainers.image.revision"]}"' in metrics,
            "its revision",
        )
        try_rights(image, pid)
        check(succeeds(image.command(*image.health)), "its health check succeeds")
    check(not succeeds(image.command(*image.health)), "its health check fails once it is stopped")


def try_accounts(image: Image) -> None:
    """An own configuration: with a password in a file, and state that is kept."""
    (image.etc / "config.yaml").write_text(OWN_CONFIG)
    (image.etc / "acme").write_text("simulated\n")
    simulator = ("simulator", "--simulator.listen-address=127.0.0.1:8099")
    with image.running(*simulator, url=WSDL):
        for _ in range(2):
            with image.running():
                metrics = await_page(f"{URL}/metrics", r"^cfdi_stamps_available\{")
                check('cfdi_account_up{account="acme"} 1' in metrics, "an account of its own is up")
    kept = (image.state / "state.db").stat()
    check((str(kept.st_uid), kept.st_mode & 0o777) == (image.user[0], 0o600), "the state is its own")


def succeeds(command: Sequence[str]) -> bool:
    """Run a program; tell whether it exits with 0."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


def main() -> None:
    """Try everything; exit with 1 at the first thing that isn't so."""
    config = json.load(sys.stdin)["Docker"]["config"]
    run("ip", "link", "set", "lo", "up")
    with tempfile.TemporaryDirectory() as scratch:
        image = Image(Path(sys.argv[1]), config, Path(scratch))
        try_content(image)
        image.mount()
        try_demo(image)
        try_accounts(image)


main()
