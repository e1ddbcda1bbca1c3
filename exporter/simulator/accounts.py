"""PURE: an account at the simulated provider: its balance at a time, and its answer to a login."""

from dataclasses import dataclass, field
from typing import Final

from exporter.simulator.answers import Answer
from exporter.simulator.issuers import Issuer, without_contract
from exporter.simulator.life import Balance, Life

PASSWORD: Final = "simulated"  # noqa: S105 - it protects nothing: docs/simulator.md prints it
"""The password of every ready-made account but one (`wrong-password@demo.example`)."""

FAILURES_ALLOWED: Final = 5
"""Failed logins in a row after which an account is locked. The real provider's limit is unknown."""


@dataclass(frozen=True, slots=True)
class Lockout:
    """Failed logins in a row, and whether they (or a person) have locked the account.

    A lock lasts until a person lifts it. How long the real provider's lasts is unknown.
    """

    failures: int = 0
    locked: bool = False

    def attempt(self, *, correct: bool) -> tuple["Lockout", int | None]:
        """What a login leads to, and the code that refuses it (None: let in).

        The failures allowed are answered 601, the attempt that exceeds them 604, all later ones 602:
        those two whether the password is right or wrong.
        """
        if self.locked and self.failures == FAILURES_ALLOWED:
            return Lockout(self.failures + 1, locked=True), 604
        if self.locked:
            return self, 602
        if correct:
            return UNLOCKED, None
        failures = self.failures + 1
        return Lockout(failures, locked=failures == FAILURES_ALLOWED), 601


UNLOCKED: Final = Lockout()


@dataclass(slots=True, eq=False)
class Account:
    """One account: how its stamps live, how it answers, and what it has seen of callers."""

    username: str
    life: Life
    password: str = field(default=PASSWORD, repr=False)
    code: int | None = None
    """Answer every call with this code, whatever its password; such calls are no logins."""
    busy_every: int = 0
    """Answer 503 to every n-th call; 0 never."""
    exhausted_figures: bool = False
    """Whether 630 and 631 carry figures. Unknown of the real provider."""
    issuers: dict[str, Issuer] = field(default_factory=dict)
    """Those that belong to it, by RFC, with contracts of their own or without."""
    no_contract: str = "account"
    """How a call for one of these without a contract is answered: one of `NOTHING_OF_ITS_OWN`."""
    unknown_issuer: str = "account"
    """How a call for any other RFC is answered, likewise."""
    delay: float = 0.0
    """Real seconds from a call to its answer."""
    lockout: Lockout = UNLOCKED
    calls: int = 0
    """Calls of either operation so far."""

    def call(self, password: str, now: float, *, rfc: str | None = None) -> Answer:
        """Count a call, for itself or for an issuer, and answer it as of the simulated Unix time `now`.

        An account without stamps answers 630, or 631 where an issuer is asked for that has none of its own.
        """
        self.calls += 1
        balance = self.life.balance(now)
        self.lockout, code = self._judge(password, self.calls, balance)
        if rfc is not None and code in {200, 630} and self.code is None:
            if answer := self._of_issuer(rfc, now):
                return answer
            code = 631 if code == 630 else code
        has_figures = code == 200 or (code in {630, 631} and self.exhausted_figures)
        return Answer(code, balance if has_figures else None)

    def _of_issuer(self, rfc: str, now: float) -> Answer | None:
        """Answer a right login that asks for an issuer; None for the account's own figures."""
        issuer = self.issuers.get(rfc)
        if issuer is None:
            return without_contract(self.unknown_issuer)
        issuer.calls += 1
        answer = issuer.answer(now, exhausted_figures=self.exhausted_figures)
        return answer or without_contract(self.no_contract)

    def next_code(self, now: float) -> int:
        """The code that the next call with the documented password would be answered."""
        _, code = self._judge(PASSWORD, self.calls + 1, self.life.balance(now))
        return code

    def _judge(self, password: str, call_number: int, balance: Balance) -> tuple[Lockout, int]:
        if self.code is not None:
            return self.lockout, self.code
        lockout, refusal = self.lockout.attempt(correct=password == self.password)
        if refusal is not None:
            return lockout, refusal
        if self.busy_every and call_number % self.busy_every == 0:
            return lockout, 503
        return lockout, 200 if balance.available else 630
