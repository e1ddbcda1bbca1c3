"""Where it was measured: the machine and the versions of everything that took part."""

import os
import platform
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

import exporter

PACKAGES = (
    "prometheus-blackbox-exporter",
    "prometheus-node-exporter",
    "prometheus-pushgateway",
    "nginx",
    "wrk",
)
"""Debian packages that are peers or drive them, each with a program of its name."""
_LIBRARIES = ("aiohttp", "prometheus-client", "zeep", "requests", "lxml")


def missing(packages: tuple[str, ...]) -> list[str]:
    """Return the packages of which the program isn't there."""
    return [package for package in packages if not shutil.which(package)]


def machine() -> dict[str, str]:
    """Return what the machine is, by what it is called in the report."""
    load = " ".join(f"{average:.2f}" for average in os.getloadavg())
    return {
        "CPU": f"{_cpu()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "storage on": _said("findmnt", "-no", "FSTYPE", "-T", tempfile.gettempdir()) or "unknown",
        "load before the run": load,
    }


def versions() -> dict[str, str]:
    """Return the versions of all programs and libraries that matter."""
    packages = {package: _said("dpkg-query", "-W", "-f", "${Version}", package) for package in PACKAGES}
    return {
        "cfdi-stamps-exporter": exporter.__version__,
        "Python": platform.python_version(),
        **{library: version(library) for library in _LIBRARIES},
        **{package: found or "not installed" for package, found in packages.items()},
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _said(*command: str) -> str:
    """Return what a command prints, or nothing where it can't be run."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
