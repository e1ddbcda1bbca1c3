"""How long the daemon waits before it does what nobody asked for just now. No flag or key changes it."""

from dataclasses import dataclass
from typing import Final

from exporter.account.policy import FIRST_POLLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds. Whoever starts the daemon may hand in others, as tests do that would only wait."""

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
    """That polls under way have to end when the daemon stops; supervisors kill after ten or more."""


PACE: Final = Pace()
