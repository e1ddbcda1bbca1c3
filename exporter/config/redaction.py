"""The running configuration for people to read: as YAML, without its secrets."""

import functools
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import yaml

from exporter.config.duration import format_duration
from exporter.config.model import Account, CalendarConfig, Config, Environment
from exporter.secret import REDACTED

BATCH: Final = 50
"""Accounts in a piece: to write them takes a few milliseconds."""

_WIDTH: Final = 1_000_000  # characters of a line: none is folded
_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_.@/-]*")
_WORDS: Final = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))


def pieces(config: Config) -> Iterator[str]:
    """See `exporter.config.redacted_in_pieces`."""
    environments = {name: _environment(environment) for name, environment in config.environments.items()}
    yield _yaml({"calendar": _calendar(config.calendar)})
    yield _yaml({"environments": environments})
    yield "accounts:\n" if config.accounts else "accounts: []\n"
    for start in range(0, len(config.accounts), BATCH):
        yield "".join(map(_item, config.accounts[start : start + BATCH]))


def _item(account: Account) -> str:
    """Return an account as an item of a YAML list: by hand, as PyYAML takes 0.3 ms for it."""
    lines: list[str] = []
    for key, value in _account(account).items():
        if isinstance(value, dict) and value:
            lines += f"{key}:", *(f"  {_scalar(inner)}: {_scalar(one)}" for inner, one in value.items())
        else:
            lines.append(f"{key}: {_scalar(value)}")
    return "- " + "\n  ".join(lines) + "\n"


def _scalar(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _quoted(value) if isinstance(value, str) else _as_value(value)


@functools.lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    return _as_value(text)


def _as_value(value: object) -> str:
    # Of a mapping, where more is to be put in quotes than alone.
    return _yaml({"a": value}).removeprefix("a: ").removesuffix("\n")


def _yaml(part: object) -> str:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(part, Dumper=dumper, sort_keys=False, allow_unicode=True, width=_WIDTH))


def _calendar(calendar: CalendarConfig) -> dict[str, object]:
    return {
        "timezone": calendar.timezone,
        "country": calendar.country,
        "closed": [day.isoformat() for day in sorted(calendar.closed)],
    }


def _environment(environment: Environment) -> dict[str, object]:
    proxy, tls = environment.proxy_url, environment.tls
    return {
        "wsdl": environment.wsdl,
        "allow_plaintext": environment.allow_plaintext,
        "concurrency": environment.concurrency,
        **({"proxy_url": _without_user(proxy.reveal())} if proxy else {}),
        "tls_config": {
            **{key: str(path) for key, path in tls.files.items()},
            "insecure_skip_verify": tls.insecure_skip_verify,
        },
    }


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{REDACTED}@{host}" if at else host).geturl()


def _account(account: Account) -> dict[str, object]:
    source, _, name = account.password_source.partition(": ")
    thresholds = {"warning": account.warning, "critical": account.critical}
    return {
        "name": account.name,
        "username": account.username,
        source: name or REDACTED,
        "environment": account.environment.name,
        "interval": format_duration(account.interval),
        "timeout": format_duration(account.timeout),
        "stale_after": format_duration(account.stale_after),
        "auth_attempts": account.auth_attempts,
        "thresholds": {key: value for key, value in thresholds.items() if value is not None},
        "labels": dict(account.labels),
    }
