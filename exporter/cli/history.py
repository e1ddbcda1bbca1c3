"""``history import``: what was used on days before the exporter counted it, from a CSV or a Prometheus."""

import csv
import io
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from exporter.account.past import HISTORY
from exporter.account.use import Ended
from exporter.cli import replay
from exporter.cli.prometheus import Labels, Points, Prometheus, PrometheusError, selector
from exporter.config import Account, Config
from exporter.config.model import LARGEST_COUNT
from exporter.daemon.state_file import open_storage, tell_of
from exporter.polling.almanac import Almanac
from exporter.storage import days
from exporter.storage.engine import Storage
from exporter.suggestion import suggestion

HEAD: Final = ["account", "day", "stamps"]

MOST_BYTES: Final = 256 * 1024 * 1024
MOST_ERRORS: Final = 20
"""Errors that are listed: a file of another form has one in each line."""

BATCH: Final = 5
"""Accounts that are asked for, and stored, at once: of each 0.7 MB come."""

CONSUMED: Final = "cfdi_stamps_consumed_total"
ANSWERED: Final = "cfdi_account_last_success_timestamp_seconds"
USED: Final = "cfdi_stamps_used"
"""Gone while answers tell nothing of what was used, as 630: then nobody knows it, and it isn't 0."""


class RejectedError(Exception):
    """The file can't be used: nothing of it is. ``errors`` say where and why."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Past:
    """What a file tells of an account: the stamps used on days, by their ordinals.

    ``older`` is how many days there are further back than is looked at, which are left out.
    """

    account: Account
    known: Mapping[int, int]
    older: int = 0


def read(path: Path, config: Config) -> list[Past]:
    """Read the days of a file, in the configuration's order of accounts. Raises RejectedError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise RejectedError([f"{path}: has more than {MOST_BYTES // 1024 // 1024} MB"])
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise RejectedError([f"{path}: {error.strerror}"]) from None
    except ValueError:
        raise RejectedError([f"{path}: isn't UTF-8: save it as CSV in UTF-8"]) from None
    today = Almanac(config.calendar).today(time.time()).ordinal
    return _Reader(path, {account.name: account for account in config.accounts}, today).read(text)


async def store(pasts: Sequence[Past], path: Path, log: FilteringBoundLogger) -> list[str]:
    """Store what was read, all of it or nothing; return a line for each account. Raises StorageError.

    The daemon may be running: it takes the days up within a minute.
    """
    now, storage = time.time(), _opened(path, log)
    try:
        added = await storage.transact(
            lambda db: [days.add(db, past.account.guard_key, _days(past), now) for past in pasts]
        )
    finally:
        await storage.close()
    return [
        _line(past.account, number, len(past.known) - number, past.older)
        for past, number in zip(pasts, added, strict=True)
    ]


async def replayed(
    config: Config, prometheus: Prometheus, matchers: str, path: Path, log: FilteringBoundLogger
) -> AsyncIterator[str | PrometheusError]:
    """Store what a Prometheus has kept, some accounts after the others; yield a line for each account.

    For one that can't be told from another's the line is an error. Raises PrometheusError and StorageError;
    what is stored until then stays, and another run goes on from there.
    """
    now, found = time.time(), False
    period = replay.Period(Almanac(config.calendar).today(now).calendar, now)
    async with AsyncExitStack() as closing:
        storage = None
        for start in range(0, len(config.accounts), BATCH):
            batch = config.accounts[start : start + BATCH]
            names = [account.name for account in batch]
            query = selector((CONSUMED, ANSWERED, USED), "account", names, matchers)
            answer = await prometheus.query_range(query, period.first, period.last, replay.STEP)
            series = _by_account(answer)
            used: list[tuple[Account, Sequence[Ended]]] = []
            for account in batch:
                found = found or account.name in series
                if account.name not in series:
                    yield f"{account.name}: isn't there"
                    continue
                try:
                    used.append((account, replay.use_of_days(list(series[account.name].values()), period)))
                except replay.AmbiguousError:
                    yield _ambiguous(account, series[account.name])
            if storage is None:  # not before: a Prometheus that can't be asked leaves no file behind
                storage = _opened(path, log)
                closing.push_async_callback(storage.close)
            added = await _stored(storage, used)
            for (account, ended), number in zip(used, added, strict=True):
                yield _line(account, number, len(ended) - number)
    if not found:
        text = f"{prometheus.url}: has none of the accounts ({CONSUMED}, {ANSWERED} and {USED})"
        raise PrometheusError(text, "does it scrape this exporter, and has --match the labels that it has?")


def _by_account(answer: Mapping[Labels, Points]) -> dict[str, dict[Labels, replay.Series]]:
    """Return the series of each account, by the labels that tell whose they are."""
    found: dict[str, dict[Labels, replay.Series]] = {}
    for labels, consumed in answer.items():
        others = labels - {("__name__", CONSUMED)}
        answered, used = (answer.get(others | {("__name__", metric)}) for metric in (ANSWERED, USED))
        name = dict(others).get("account")
        if len(others) < len(labels) and answered and used and name is not None:
            found.setdefault(name, {})[others] = {
                at: replay.Sample(int(stamps), answered[at])
                for at, stamps in consumed.items()
                if at in answered and at in used and 0 <= stamps <= LARGEST_COUNT
            }
    return found


def _ambiguous(account: Account, series: Mapping[Labels, replay.Series]) -> PrometheusError:
    """Say by which labels exporters differ that have an account at the same time."""
    every = frozenset.intersection(*series)
    differing = [sorted(labels - every)[:3] for labels in list(series)[:3]]
    shown = " and ".join(
        ",".join(f"{name}={value[:60]!r}" for name, value in one) or "none" for one in differing
    )
    text = f"{account.name}: several exporters have it at the same time ({shown})"
    return PrometheusError(text, "choose one of them with --match, or import from a CSV")


def _opened(path: Path, log: FilteringBoundLogger) -> Storage:
    storage = open_storage(path, exclusive=False, now=time.time())
    tell_of(storage, log)
    return storage


async def _stored(storage: Storage, used: Sequence[tuple[Account, Sequence[Ended]]]) -> list[int]:
    """Store days of accounts; return of how many that was for each."""
    now = time.time()
    return await storage.transact(
        lambda db: [days.add(db, account.guard_key, ended, now) for account, ended in used]
    )


def _days(past: Past) -> Iterator[Ended]:
    return (Ended(day, stamps, b"") for day, stamps in past.known.items())


def _line(account: Account, added: int, already: int, older: int = 0) -> str:
    parts = [
        f"{account.name}: {added} days added",
        f"{already} known already" if already else "",
        f"{older} over {HISTORY} days ago left out" if older else "",
    ]
    return ", ".join(filter(None, parts))


class _WrongError(Exception):
    """A row can't be used; the text says why."""


class _Reader:
    """Reads the text of one file for these accounts; ``today`` is an ordinal."""

    def __init__(self, path: Path, accounts: Mapping[str, Account], today: int) -> None:
        self._path = path
        self._accounts = accounts
        self._today = today
        self._errors: list[str] = []
        self._more = 0

    def read(self, text: str) -> list[Past]:
        """Raises RejectedError with every error, as ``FILE:LINE: TEXT``."""
        known: dict[str, dict[int, int]] = {}
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            self._check_head(next(rows, []))
            for row in rows:
                if row:
                    self._add(known, rows.line_num, row)
        except csv.Error as error:
            self._reject(rows.line_num, f"is no CSV: {error}")
        if self._more:
            self._errors.append(f"{self._path}: {self._more} more errors")
        if not (known or self._errors):
            self._errors.append(f"{self._path}: holds no days")
        if self._errors:
            raise RejectedError(self._errors)
        return [self._past(name, known[name]) for name in self._accounts if name in known]

    def _add(self, known: dict[str, dict[int, int]], line: int, row: Sequence[str]) -> None:
        try:
            name, day, stamps = self._row(row)
        except _WrongError as error:
            self._reject(line, str(error))
            return
        of_account = known.setdefault(name, {})
        if day in of_account:
            self._reject(line, f"{date.fromordinal(day)} of {name} stands there twice")
        of_account[day] = stamps

    def _past(self, name: str, known: Mapping[int, int]) -> Past:
        recent = {day: stamps for day, stamps in known.items() if day >= self._today - HISTORY}
        return Past(self._accounts[name], recent, len(known) - len(recent))

    def _check_head(self, row: Sequence[str]) -> None:
        if [cell.strip().lower() for cell in row] != HEAD:
            commas = " (with commas)" if len(row) == 1 and ";" in row[0] else ""
            raise RejectedError([f"{self._path}:1: must be {','.join(HEAD)}{commas}"])

    def _row(self, row: Sequence[str]) -> tuple[str, int, int]:
        """Raises _WrongError."""
        if len(row) != len(HEAD):
            raise _WrongError(f"must have {len(HEAD)} cells ({','.join(HEAD)}), has {len(row)}")
        name, day, stamps = (cell.strip() for cell in row)
        if name not in self._accounts:
            raise _WrongError(f"no account is called {_shown(name)}{suggestion(name, self._accounts)}")
        try:
            ordinal = _day(day).toordinal()
        except ValueError:
            raise _WrongError(f"day must be a date such as 2026-12-24, got {_shown(day)}") from None
        if ordinal >= self._today:
            raise _WrongError(f"day must be over, got {day}: the exporter counts today itself")
        if not re.fullmatch("[0-9]{1,16}", stamps) or int(stamps) > LARGEST_COUNT:
            raise _WrongError(f"stamps must be a whole number such as 4812, got {_shown(stamps)}")
        return name, ordinal, int(stamps)

    def _reject(self, line: int, text: str) -> None:
        if len(self._errors) < MOST_ERRORS:
            self._errors.append(f"{self._path}:{line}: {text}")
        else:
            self._more += 1


def _day(text: str) -> date:
    """Raises ValueError. Python takes some other forms, too."""
    return date.fromisoformat(text if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else "")


def _shown(text: str) -> str:
    """Return a cell as it may stand in a message: on one line, and not all of a long one."""
    return repr(text[:60]) if text else "nothing"
