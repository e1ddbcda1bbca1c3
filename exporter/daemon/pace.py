"""How often the daemon does its regular work, and how long it waits for what. No flag or key changes it."""

from dataclasses import dataclass
from typing import Final

from exporter.account.policy import FIRST_POLLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds. Tests start the daemon with shorter ones."""

    first_polls: float = FIRST_POLLS
    """Over which the first polls are spread, for a handful of accounts."""

    quiet: float = 5.0
    """That the configuration and what it names must be unchanged before a change is taken up."""

    watch: float = 1.0
    """Between two looks at files that may have changed."""

    publish: float = 0.5
    """Between two batches of changed states that are stored and shown."""

    look_around: float = 30.0
    """Between two looks at what ``check`` has suspended or resumed."""

    profiles: float = 5.0
    """Between two looks at whether a day has turned, and with it what is expected of accounts."""

    summary: float = 3600.0
    """Between two lines in the log about accounts that go on failing: each is logged once by itself."""

    stop: float = 4.0
    """That polls under way have left when the daemon stops; supervisors kill it after ten or more."""


PACE: Final = Pace()
