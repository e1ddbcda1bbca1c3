"""The issuers of an account: found in all files, filled in with the defaults, compared with each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from exporter.config import rfc
from exporter.config.duration import format_duration
from exporter.config.entries import Entries, repeats, seen_from
from exporter.config.model import Issuer
from exporter.config.schema import AccountOutline, IssuerSection
from exporter.config.yaml.findings import Checked, Findings

DEFAULT_INTERVALS: Final = 4
"""Intervals of the account between two polls of an issuer."""
DEFAULT_CONCURRENCY: Final = 1

SHORTEST_CALL: Final = 0.3
"""Seconds. Where each call has less than that, an interval will hardly do for all issuers."""
MOST_WARNINGS: Final = 10
"""Issuers of an account that are named for a check digit: a hundred wrong ones have one cause."""

Entry = Checked[IssuerSection]
"""An issuer as it stands in a file."""


@dataclass(frozen=True, slots=True)
class Issuers:
    """Finds the issuers of accounts. Files that several accounts name are read once."""

    findings: Findings
    entries: Entries[IssuerSection]

    @classmethod
    def into(cls, findings: Findings) -> "Issuers":
        """Find issuers, and note in ``findings`` what is wrong with them."""
        return cls(findings, Entries(IssuerSection, "issuer", findings))

    def of(self, account: Checked[AccountOutline], interval: float, stale_after: float) -> tuple[Issuer, ...]:
        """Return the issuers of an account with these times (seconds); fewer where something is wrong."""
        section, where = account.section, account.where
        entries = self.entries.at(where.at("issuers")) if "issuers" not in account.broken else []
        entries += self.entries.in_files(where.at("issuer_files"), section.issuer_files or [])
        if not entries:
            return ()
        self._reject_repeats(entries)
        self._warn_of_check_digits(entries)
        own = section.issuer_interval or DEFAULT_INTERVALS * interval
        concurrency = section.issuer_concurrency or DEFAULT_CONCURRENCY
        if own * concurrency < SHORTEST_CALL * len(entries):
            self._warn_of_haste(account, len(entries), own, concurrency)
        # A balance may be as many intervals old as the account's.
        return tuple(_issuer(entry.section, own, own * stale_after / interval) for entry in entries)

    def _reject_repeats(self, entries: list[Entry]) -> None:
        for key, text in (("name", '"{}" is already the name of {}'), ("rfc", "{} is already the RFC of {}")):
            keyed = (
                (str(getattr(entry.section, key)), entry) for entry in entries if key not in entry.broken
            )
            for entry, other in repeats(keyed):
                value = getattr(entry.section, key)
                self.findings.reject(entry.where.at(key), text.format(value, seen_from(entry, other)))

    def _warn_of_check_digits(self, entries: list[Entry]) -> None:
        doubted = _doubted(entries)
        for entry, digit in islice(doubted, MOST_WARNINGS):
            text = f"its check digit, the last sign, should be {digit}: is that the issuer's RFC?"
            self.findings.warn(entry.where.at("rfc"), text)
        if more := sum(1 for _ in doubted):
            place = entries[0].where
            self.findings.warn(place, f"{more} more RFCs of this account's issuers have a wrong check digit")

    def _warn_of_haste(
        self, account: Checked[AccountOutline], count: int, interval: float, concurrency: int
    ) -> None:
        text = (
            f"{count} issuers, {concurrency} at a time, within {format_duration(interval)}: that is "
            f"{interval * concurrency / count:.2g} s for each call, and they may come late: "
            "raise issuer_interval or issuer_concurrency"
        )
        self.findings.warn(account.where, text)


def _doubted(entries: list[Entry]) -> Iterator[tuple[Entry, str]]:
    """Yield the issuers whose RFC has another check digit than it should, with that one."""
    for entry in entries:
        if "rfc" not in entry.broken:
            text = entry.section.rfc
            if (digit := rfc.check_digit(text)) != text[-1]:
                yield entry, digit


def _issuer(section: IssuerSection, interval: float, stale_after: float) -> Issuer:
    thresholds = section.thresholds
    return Issuer(
        name=section.name,
        rfc=section.rfc,
        interval=interval,
        stale_after=stale_after,
        warning=thresholds.warning if thresholds else None,
        critical=thresholds.critical if thresholds else None,
        labels=tuple(sorted(section.labels.items())) if section.labels else (),
    )
