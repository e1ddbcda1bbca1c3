"""The running configuration for people to read: as YAML, without its secrets."""

import functools
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

import yaml

from exporter.config.duration import format_duration
from exporter.config.model import Account, CalendarConfig, Config, Environment, Issuer
from exporter.secret import REDACTED

BATCH: Final = 50
"""Accounts and issuers in a piece: to write them takes a few milliseconds."""

_WIDTH: Final = 1_000_000  # characters of a line: none is folded
_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_.@/-]*")
_WORDS: Final = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))


def pieces(config: Config) -> Iterator[str]:
    """See `exporter.config.redacted_in_pieces`."""
    environments = {name: _environment(environment) for name, environment in config.environments.items()}
    yield _yaml({"calendar": _calendar(config.calendar)})
    yield _yaml({"environments": environments})
    yield "accounts:\n" if config.accounts else "accounts: []\n"
    items = _items(config.accounts)
    while piece := "".join(islice(items, BATCH)):
        yield piece


def _items(accounts: tuple[Account, ...]) -> Iterator[str]:
    for account in accounts:
        yield _item(_account(account))
        if account.issuers:
            yield "  issuers:\n"
            yield from (_item(_issuer(issuer), "  ") for issuer in account.issuers)


def _item(section: Mapping[str, object], indentation: str = "") -> str:
    """Return a mapping as an item of a YAML list: by hand, as PyYAML takes 0.3 ms for it."""
    lines: list[str] = []
    for key, value in section.items():
        if isinstance(value, dict) and value:
            lines += f"{key}:", *(f"  {_scalar(inner)}: {_scalar(one)}" for inner, one in value.items())
        else:
            lines.append(f"{key}: {_scalar(value)}")
    return f"{indentation}- " + f"\n{indentation}  ".join(lines) + "\n"


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
    of_issuers: dict[str, object] = {}
    if account.issuers:
        interval = format_duration(account.issuers[0].interval)
        of_issuers = {"issuer_interval": interval, "issuer_concurrency": account.issuer_concurrency}
    return {
        "name": account.name,
        "username": account.username,
        source: name or REDACTED,
        "environment": account.environment.name,
        "interval": format_duration(account.interval),
        "timeout": format_duration(account.timeout),
        "stale_after": format_duration(account.stale_after),
        "auth_attempts": account.auth_attempts,
        "thresholds": _thresholds(account),
        "labels": dict(account.labels),
        **of_issuers,
    }


def _issuer(issuer: Issuer) -> dict[str, object]:
    # A person's RFC holds the date of birth.
    return {
        "name": issuer.name,
        "rfc": REDACTED,
        "thresholds": _thresholds(issuer),
        "labels": dict(issuer.labels),
    }


def _thresholds(watched: Account | Issuer) -> dict[str, int]:
    thresholds = {"warning": watched.warning, "critical": watched.critical}
    return {key: value for key, value in thresholds.items() if value is not None}
