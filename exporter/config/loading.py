"""From the configuration file and all that it names to a ``Config``, or to every error at once."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from exporter.config.accounts import resolved_accounts
from exporter.config.entries import Entries, globs
from exporter.config.environments import configured_environments
from exporter.config.model import COUNTRY, TIMEZONE, CalendarConfig, Config, ConfigError
from exporter.config.schema import VOCABULARY, AccountOutline, CalendarSection, Outline
from exporter.config.yaml.document import Where
from exporter.config.yaml.files import ReadError
from exporter.config.yaml.findings import Findings


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """See ``exporter.config.load``."""
    findings = Findings(path.parent, VOCABULARY)
    try:
        document = findings.read(path)
    except ReadError as error:
        raise ConfigError((f"{path}: {error}",)) from None
    outline = findings.check(Outline, Where(document)) if document else None
    if outline is None:
        raise findings.error()
    top, patterns = outline.where, outline.section.account_files or []
    listed = Entries(AccountOutline, "account", findings)
    entries = listed.at(top.at("accounts")) if "accounts" not in outline.broken else []
    entries += listed.in_files(top.at("account_files"), patterns)
    if not (entries or patterns or findings.problems):
        findings.reject(top, "no accounts: list some under accounts, or their files under account_files")
    environments = configured_environments(top.at("environments"), findings)
    accounts = resolved_accounts(entries, top.at("global"), environments, environ, findings)
    calendar = _calendar(top.at("calendar"), findings)
    if findings.problems:
        raise findings.error()
    return Config(
        path=path,
        environments=MappingProxyType({name: env for name, env in environments.items() if env}),
        accounts=accounts,
        files=tuple(findings.files),
        warnings=tuple(findings.warnings),
        account_globs=globs(path.parent, patterns),
        issuer_globs=globs(
            path.parent, (pattern for entry in entries for pattern in entry.section.issuer_files or ())
        ),
        calendar=calendar,
    )


def _calendar(where: Where, findings: Findings) -> CalendarConfig:
    checked = findings.check(CalendarSection, where)
    if checked is None:
        return CalendarConfig()
    section = checked.section
    closed = frozenset(section.closed or ())
    return CalendarConfig(section.timezone or TIMEZONE, section.country or COUNTRY, closed)
