"""What the guard promises, as somebody would count it who stands at the provider's door.

It knows nothing of how the guard keeps its promise. Where it can't know what the exporter could know (an
answer that nobody lived to hear, which of two tries lapsed), it takes what allows the exporter more.
"""

import math
from collections import Counter
from dataclasses import dataclass, field

from exporter.account.outcome import Outcome, Verdict

HOUR = 3600.0
INTERVAL = 900.0
OUTAGE = 600.0
ROUNDING = 1e-3  # seconds: times are sums of others
HOURS = (1, 2, 4, 8, 16, 24)


@dataclass(eq=False)
class Try:
    """A login that reached the provider, at a monotonic time."""

    password: str
    at: float
    proven: bool
    from_service: bool = False
    perhaps_refused: bool = False
    """It was refused, and nobody knows whether that could be kept: a refusal or an open try."""


@dataclass
class Promise:
    """One login at the provider, whatever passwords come for it."""

    auth_attempts: int
    broken: list[str] = field(default_factory=list)
    open: list[Try] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    stopped: set[str] = field(default_factory=set)
    not_before: dict[str, float] = field(default_factory=dict)
    lapses: int = 0
    lapsed_at: float = -math.inf
    silent_since: float | None = None

    def arrived(self, password: str, now: float, *, proven: bool) -> Try:
        """Judge a try: should it have been held back?"""
        self.lapse(now)
        standing = self.standing(password)
        if not proven and standing >= self.auth_attempts:
            self.broken.append(f"{password}: sent though {standing} tries stand")
        if password in self.stopped:
            self.broken.append(f"{password}: sent though it is suspended")
        if not proven and now < self.not_before.get(password, 0.0) - ROUNDING:
            self.broken.append(f"{password}: sent {self.not_before[password] - now} s too early")
        tried = Try(password, now, proven)
        self.open.append(tried)
        if not proven:
            self.not_before[password] = now + INTERVAL
        return tried

    def standing(self, password: str) -> int:
        """Count what is held against a password, at the least."""
        open_tries = [one for one in self.open if not one.perhaps_refused or one.password == password]
        return self.refusals[password] + len(open_tries)

    def answered(self, tried: Try, outcome: Outcome, now: float, *, heard: bool) -> None:
        """Take note of a try's outcome; `heard` where the exporter lived to hear it and could keep it."""
        self._settle(tried, outcome, heard=heard)
        if outcome.answered and heard:
            self._hear_again(now)
        elif not outcome.answered and self.silent_since is None:
            self.silent_since = now

    def _settle(self, tried: Try, outcome: Outcome, *, heard: bool) -> None:
        match outcome.verdict:
            case Verdict.ACCEPTED:
                self.open.clear()  # one that is under way elsewhere may stay: this allows more
                del self.refusals[tried.password]
                self.stopped.discard(tried.password)
                self.not_before.clear()
                self.lapses, self.lapsed_at = 0, -math.inf
            case Verdict.NEUTRAL:
                self._close(tried)
            case Verdict.REFUSED | Verdict.STOP if heard:
                self._close(tried)
                self.refusals[tried.password] += 1
                if outcome.verdict is Verdict.STOP:
                    self.stopped.add(tried.password)
                self.not_before[tried.password] = max(
                    self.not_before.get(tried.password, 0.0), tried.at + INTERVAL
                )
            case Verdict.REFUSED | Verdict.STOP:
                tried.perhaps_refused = True
            case Verdict.UNKNOWN_FROM_SERVICE if heard:
                tried.from_service = True

    def lost(self, tried: Try) -> None:
        """A try with a proven credential could not be marked, and its process ended: nobody knows of it."""
        self._close(tried)

    def resumed(self, password: str, now: float) -> None:
        """Somebody gave it one new try."""
        self.lapse(now)
        if password in self.stopped or self.standing(password) >= self.auth_attempts:
            self.open.clear()
            self.refusals[password] = self.auth_attempts - 1
            self.stopped.discard(password)
        self.not_before.clear()

    def aged(self, seconds: float, now: float) -> None:
        """The wall clock jumped ahead, and the process ended before it could notice: so much is over.

        If nobody noticed before the clock was set back, it isn't: then nothing has lapsed yet.
        """
        for one in self.open:
            one.at -= seconds
        self.not_before = {password: at - seconds for password, at in self.not_before.items()}
        self.lapsed_at -= seconds
        lapses, lapsed_at = self.lapses, self.lapsed_at
        self.lapse(now)
        self.lapses, self.lapsed_at = lapses, lapsed_at

    def lapse(self, now: float) -> None:
        """Let open tries lapse."""
        self.open = [one for one in self.open if one.from_service or now - one.at < HOUR - ROUNDING]
        while answered := sorted((one for one in self.open if one.from_service), key=lambda one: one.at):
            at = max(self.lapsed_at, answered[-1].at) + HOURS[min(self.lapses, 5)] * HOUR
            if at > now + ROUNDING:
                break
            self.open.remove(answered[0])
            self.lapses, self.lapsed_at = self.lapses + 1, at

    def _hear_again(self, now: float) -> None:
        """After an outage one try whose answer got lost lapses early: which one isn't promised."""
        if self.silent_since is not None and now - self.silent_since >= OUTAGE:
            lost = [one for one in self.open if not one.from_service]
            if lost:
                self.open.remove(lost[-1])
        self.silent_since = None

    def _close(self, tried: Try) -> None:
        if tried in self.open:
            self.open.remove(tried)
