"""``check --all``: one login for each account, one after the other, with a summary."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from structlog.typing import FilteringBoundLogger

from exporter.cli.check import Checks, Colour, Report, checks
from exporter.config import Account, Config

GIVEN_UP: Final = 5
"""Accounts of an environment in a row without an answer, after which its others aren't asked for."""

CLOSING: Final = 60.0
"""Seconds for what is still to be kept at the end."""


class Summary(NamedTuple):
    """How many accounts there are and how they are; ``well`` where nothing is to be done about any."""

    accounts: int
    low: int
    failed: int
    left_out: int

    @property
    def well(self) -> bool:
        """Whether each has a balance, and none is low."""
        return not (self.low or self.failed or self.left_out)

    @property
    def text(self) -> str:
        """The summary in a line."""
        good = self.accounts - self.low - self.failed - self.left_out
        parts = [f"{good:,} well"]
        parts += [f"{self.low:,} to buy stamps for"] if self.low else []
        parts += [f"{self.failed:,} without a balance"] if self.failed else []
        parts += [f"{self.left_out:,} not asked for"] if self.left_out else []
        return f"{self.accounts:,} account{'' if self.accounts == 1 else 's'}: {', '.join(parts)}"


async def run(
    config: Config,
    storage_path: Path | None,
    log: FilteringBoundLogger,
    command: tuple[str, ...],
    *,
    tell: Callable[[Report], None],
    progress: Callable[[int, Account], None],
) -> Summary:
    """Ask for all accounts in the order of the configuration, through the guard.

    ``tell`` is given each report, ``progress`` each account before it is asked for, with its number. Where
    several of an environment in a row get no answer its others aren't asked for: with thousands of them that
    would take a day and help nobody. Raises StorageError.
    """
    low = failed = left_out = 0
    silent: Counter[str] = Counter()
    async with checks(storage_path, config.calendar, log, command) as opened:
        for number, account in enumerate(config.accounts, 1):
            environment = account.environment.name
            if silent[environment] >= GIVEN_UP:
                left_out += 1
                continue
            progress(number, account)
            report = await _ask(opened, account)
            tell(report)
            if report.answered is not None:
                silent[environment] = 0 if report.answered else silent[environment] + 1
            failed += not report.ok
            low += report.ok and report.colour is not Colour.GOOD
            if silent[environment] == GIVEN_UP and report.answered is False:
                text = (
                    f"{environment}: {GIVEN_UP} accounts in a row got no answer: its others aren't asked for"
                )
                tell(Report(False, text, Colour.BAD))
        await opened.close(CLOSING)
    return Summary(len(config.accounts), low, failed, left_out)


async def _ask(opened: Checks, account: Account) -> Report:
    """Ask for an account, for so long at most as its own limits add up to."""
    try:
        # The WSDL, the try, and what is to be kept of it: each has a limit of its own, this is the last one.
        async with asyncio.timeout(3 * account.timeout + CLOSING):
            return await opened.ask(account)
    except TimeoutError:
        return Report(False, f"{account.name}: no answer in time", Colour.BAD, answered=False)
