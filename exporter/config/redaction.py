"""The running configuration for people to read: as YAML, without its secrets."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import yaml

from exporter.config.duration import format_duration
from exporter.config.model import Account, Config, Environment
from exporter.secret import REDACTED

BATCH: Final = 10
"""Accounts of a piece: a few milliseconds."""


def pieces(config: Config) -> Iterator[str]:
    """See `exporter.config.redacted_in_pieces`."""
    environments = {name: _environment(environment) for name, environment in config.environments.items()}
    yield _yaml({"environments": environments})
    if not config.accounts:
        yield _yaml({"accounts": []})
        return
    yield "accounts:\n"
    for start in range(0, len(config.accounts), BATCH):
        yield _yaml([_account(account) for account in config.accounts[start : start + BATCH]])


def _yaml(part: object) -> str:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(part, Dumper=dumper, sort_keys=False, allow_unicode=True, width=1000))


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
