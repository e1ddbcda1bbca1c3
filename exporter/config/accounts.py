"""The accounts: found in all files, filled in with the defaults, and compared with each other."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from exporter.config.credentials import is_empty, remarks
from exporter.config.duration import format_duration
from exporter.config.entries import repeats, seen_from
from exporter.config.environments import PROVIDER_HOSTS
from exporter.config.issuers import DEFAULT_CONCURRENCY, Issuers
from exporter.config.model import Account, Environment, host_of
from exporter.config.schema import PASSWORD_KEYS, AccountOutline, GlobalSection
from exporter.config.values import NO_TEXT, NO_XML, fits_xml
from exporter.config.yaml.document import Where
from exporter.config.yaml.files import ReadError, UnreachableError, read_text
from exporter.config.yaml.findings import Checked, Findings
from exporter.config.yaml.rules import got
from exporter.secret import Secret

DEFAULT_ENVIRONMENT = "production"
DEFAULT_INTERVAL = 900.0
DEFAULT_TIMEOUT = 60.0
DEFAULT_STALE_INTERVALS = 3
DEFAULT_AUTH_ATTEMPTS = 2
SHORTEST_PROVIDER_INTERVAL = 60.0
"""Seconds, towards the hosts of the built-in environments: polling must not burden the provider."""

PASSWORD_FILE_LIMIT = 64 * 1024

Entry = Checked[AccountOutline]
"""An account as it stands in a file."""


def resolved_accounts(
    entries: list[Entry],
    global_: Where,
    environments: Mapping[str, Environment | None],
    environ: Mapping[str, str],
    findings: Findings,
) -> tuple[Account, ...]:
    """Return the accounts with all defaults filled in; fewer where something is wrong with one."""
    unusable = Checked(global_, GlobalSection(), frozenset({"environment"}))
    defaults = findings.check(GlobalSection, global_) or unusable
    resolver = _Resolver(defaults, environments, environ, findings, Issuers.into(findings))
    accounts = [resolver.account(entry) for entry in entries]
    resolved = [(entry, account) for entry, account in zip(entries, accounts, strict=True) if account]
    _reject_same_names(entries, findings)
    _reject_same_logins(resolved, findings)
    return tuple(account for _, account in resolved)


@dataclass(frozen=True, slots=True)
class _Resolver:
    """Fills in an account's defaults and checks it against its environment."""

    defaults: Checked[GlobalSection]
    environments: Mapping[str, Environment | None]
    environ: Mapping[str, str]
    findings: Findings
    issuers: Issuers

    def account(self, entry: Entry) -> Account | None:
        """Return the account; ``None``, and note the problems, where it can't be resolved."""
        section, defaults = entry.section, self.defaults.section
        credential = self._credential(entry)
        environment = self._environment(entry)
        interval = section.interval or defaults.interval or DEFAULT_INTERVAL
        stale_after = section.stale_after or defaults.stale_after or DEFAULT_STALE_INTERVALS * interval
        issuers = self.issuers.of(entry, interval, stale_after)
        if environment:
            self._check_interval(self._where(entry, "interval"), environment, interval)
            if section.issuer_interval:
                place = entry.where.at("issuer_interval")
                self._check_interval(place, environment, section.issuer_interval)
        if credential is None or environment is None:
            return None
        thresholds = section.thresholds
        account = Account(
            name=section.name,
            username=section.username,
            password=credential.password,
            environment=environment,
            interval=interval,
            timeout=section.timeout or defaults.timeout or DEFAULT_TIMEOUT,
            stale_after=stale_after,
            auth_attempts=section.auth_attempts or defaults.auth_attempts or DEFAULT_AUTH_ATTEMPTS,
            warning=thresholds.warning if thresholds else None,
            critical=thresholds.critical if thresholds else None,
            labels=tuple(sorted((section.labels or {}).items())),
            password_source=credential.source,
            remarks=credential.remarks,
            issuers=issuers,
            issuer_concurrency=section.issuer_concurrency or DEFAULT_CONCURRENCY,
        )
        self._remark_times(entry, account)
        self._remark_concurrency(entry, account)
        return account

    def _where(self, entry: Entry, key: str) -> Where:
        """Return where the value of a key that has a default in ``global`` comes from."""
        own = getattr(entry.section, key) is not None
        return (entry if own else self.defaults).where.at(key)

    def _environment(self, entry: Entry) -> Environment | None:
        own, default = entry.section.environment, self.defaults.section.environment
        if "environment" in entry.broken or (own is None and "environment" in self.defaults.broken):
            return None
        name = own or default or DEFAULT_ENVIRONMENT
        if name not in self.environments:
            known = ", ".join(known for known, environment in self.environments.items() if environment)
            self.findings.reject(self._where(entry, "environment"), f"must be one of {known}; {got(name)}")
        return self.environments.get(name)

    def _check_interval(self, where: Where, environment: Environment, interval: float) -> None:
        if interval < SHORTEST_PROVIDER_INTERVAL and host_of(environment.wsdl) in PROVIDER_HOSTS:
            rule = f"must be at least 60s for environment {environment.name}, got {format_duration(interval)}"
            self.findings.reject(where, rule)

    def _remark_times(self, entry: Entry, account: Account) -> None:
        """Warn of times that contradict each other: no errors, as a demo or a test may want them."""
        if account.stale_after < account.interval:
            text = "shorter than an interval it applies to: balances vanish between two polls"
            self.findings.warn(self._where(entry, "stale_after"), text)
        given = entry.section.timeout or self.defaults.section.timeout
        if given and given > account.interval:
            text = "longer than an interval it applies to: a slow answer delays the next poll"
            self.findings.warn(self._where(entry, "timeout"), text)

    def _remark_concurrency(self, entry: Entry, account: Account) -> None:
        concurrency = account.environment.concurrency
        if account.issuer_concurrency > concurrency:
            text = (
                f"more than the {concurrency} calls that environment {account.environment.name} has in flight"
            )
            self.findings.warn(entry.where.at("issuer_concurrency"), text)

    def _credential(self, entry: Entry) -> "_Credential | None":
        """Return the password; ``None``, and note the problem, where there isn't one."""
        present = entry.section.model_fields_set | entry.broken
        given = [key for key in PASSWORD_KEYS if key in present]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            text = f"exactly one of {', '.join(PASSWORD_KEYS)} is needed, got {found}"
            self.findings.reject(entry.where, text)
            return None
        (key,) = given
        if key in entry.broken:
            return None
        where = entry.where.at(key)
        if entry.section.password is not None:
            password, origin = str(where.value()), ""
        else:
            try:
                password, origin = self._fetched_password(entry.section)
            except ReadError as error:
                looked = ""
                if isinstance(error, UnreachableError) and entry.section.password_file:
                    looked = f": {_where_looked(self.findings.base, entry.section.password_file)}"
                self.findings.reject(where, f"{error}{looked}")
                return None
        warnings = (
            self._remark(entry.where.at("username"), "the username", entry.section.username, outside=False),
            self._remark(where, f"the password{origin and f' in {origin}'}", password, outside=bool(origin)),
        )
        source = f"{key}: {origin}" if origin else key
        return _Credential(Secret(password), source, tuple(filter(None, warnings)))

    def _remark(self, where: Where, subject: str, text: str, *, outside: bool) -> str | None:
        """Warn of what is seldom meant in a username or password, without a piece of it."""
        found = remarks(text, from_outside=outside)
        if not outside and (taken := where.remark()):
            found.append(taken)
        if not found:
            return None
        rest = "unless that is meant, each login fails and counts"
        return self.findings.warn(where, f"{subject} {', and '.join(found)}: {rest}")

    def _fetched_password(self, section: AccountOutline) -> tuple[str, str]:
        """Return the password, and the file or the variable that it comes from. Raises ReadError."""
        if section.password_file is not None:
            path = self.findings.base / section.password_file
            self.findings.files[path] = None
            text = read_text(path, PASSWORD_FILE_LIMIT)
            # Editors and echo end a file with a line end; a password may end with blanks, and keeps them.
            password, origin = re.sub(r"\r?\n\Z", "", text), str(path)
        else:
            origin = section.password_env or ""
            if origin not in self.environ:
                raise ReadError("environment variable is not set")
            password = self.environ[origin]
        if not password:
            raise ReadError("holds no password: it is empty")
        if not fits_xml(password):
            raise ReadError(NO_XML)
        if is_empty(password):
            raise ReadError(NO_TEXT)
        return password, origin


class _Credential(NamedTuple):
    password: Secret
    source: str
    """See ``Account.password_source``."""
    remarks: tuple[str, ...]


_PATH = re.compile(
    r"""(/[\w.@+-]+){2,}                                # from the root: a directory and more
    | (~|\.{1,2})(/[\w.@+-]+)+
    | [a-z0-9._-]+(/[a-z0-9._-]+)+                      # passwords that hold a slash are seldom all words
    | [\w.-]+\.(txt|pass|password|passwd|pw|pwd|secret|key|cred)
    | [a-z._-]*(password|passwd|pwd|secret|credential)[a-z._-]*""",
    re.VERBOSE,
)
"""What is the path of a file rather than the password itself, which some put there."""


def _where_looked(base: Path, name: str) -> str:
    """Return where a password file was looked for; its name too, unless it may be the password itself."""
    path = (base / name).absolute()
    if _PATH.fullmatch(name) or ("/" in name.strip("/") and os.path.isdir(path.parent)):
        return f"looked for {path}"
    there = next((parent for parent in path.parents if os.path.isdir(parent)), base)
    return f"looked in {there}"


# What no two accounts may share. ------------------------------------------------------------------------


def _reject_same_names(entries: list[Entry], findings: Findings) -> None:
    for entry, other in repeats((entry.section.name, entry) for entry in entries):
        text = f'"{entry.section.name}" is already the name of {seen_from(entry, other)}'
        findings.reject(entry.where.at("name"), text)


def _reject_same_logins(resolved: list[tuple[Entry, Account]], findings: Findings) -> None:
    """Reject two accounts with one login: they would double the calls, and the failed ones too."""
    for (entry, account), (other, _) in repeats((pair[1].guard_key, pair) for pair in resolved):
        place = seen_from(entry, other)
        # An account whose name is at fault has a stand-in for it, which nobody knows.
        first = place if "name" in other.broken else f'"{other.section.name}" ({place})'
        second = "it" if "name" in entry.broken else f'"{account.name}"'
        text = f"{second} has the same username at {account.environment.host_port} as {first}"
        findings.reject(entry.where.at("username"), text)
