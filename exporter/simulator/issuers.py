"""PURE: an issuer (RFC) under an account at the simulated provider, with a contract of its own or without."""

from dataclasses import dataclass
from typing import Final

from exporter.simulator.answers import Answer
from exporter.simulator.life import Balance, Life

NOTHING_OF_ITS_OWN: Final = ("account", "zeros", "nothing", "631", "611", "620")
"""Answers about an RFC that has no contract of its own: which one the real provider gives is unknown."""

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUES: Final = {sign: value for value, sign in enumerate("0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ")}


@dataclass(slots=True, eq=False)
class Issuer:
    """An issuer, and how it answers."""

    rfc: str
    life: Life | None = None
    """None: it has no contract of its own."""
    code: int | None = None
    """Answer each right login that asks for it with this code."""
    calls: int = 0

    def answer(self, now: float, *, exhausted_figures: bool) -> Answer | None:
        """Return what a right login is answered as of a Unix time; None where it has nothing of its own.

        One that has run dry is answered a plain 200 with 0 stamps available: at least as likely as 631.
        """
        balance = self.life.balance(now) if self.life else None
        if self.code is not None:
            has_figures = self.code == 200 or (self.code in {630, 631} and exhausted_figures)
            return Answer(self.code, balance if has_figures else None)
        return Answer(200, balance) if balance else None


def without_contract(kind: str) -> Answer | None:
    """Return an answer about an RFC that has nothing of its own; None for the account's figures."""
    if kind == "account":
        return None
    if kind == "zeros":
        return Answer(200, Balance(0, 0))
    return Answer(200 if kind == "nothing" else int(kind))


def made_up_rfc(number: int) -> str:
    """Return a company's RFC that is right in its form and belongs to nobody: another one for each number."""
    day, rest = divmod(number, 36 * 36)
    month, day = divmod(day, 28)
    year, month = divmod(month, 12)
    stem = f"SIM{year % 100:02}{month + 1:02}{day + 1:02}{_ALPHABET[rest // 36]}{_ALPHABET[rest % 36]}"
    total = sum(_VALUES[sign] * weight for sign, weight in zip(" " + stem, range(13, 1, -1), strict=True))
    return stem + "0A987654321"[total % 11]
