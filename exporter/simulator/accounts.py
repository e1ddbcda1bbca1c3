"""PURE: an account at the simulated provider: its balance at a time, and its answer to a login."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from exporter.simulator.rhythm import OFFICE, Rhythm

PASSWORD: Final = "simulated"  # noqa: S105 - it protects nothing: docs/simulator.md prints it
"""The password of every ready-made account but one (`wrong-password@demo.example`)."""

FAILURES_ALLOWED: Final = 5
"""Failed logins in a row after which an account is locked. The real provider's limit is unknown."""

MESSAGES: Final[Mapping[int, str]] = {
    200: "El proceso se completó correctamente.",
    500: "Se produjeron errores que impidieron completar el proceso.",
    501: "Error de conexión a la base de datos.",
    502: "No fue posible leer o escribir en la base de datos.",
    503: "Se alcanzó el límite de licencias de acceso concurrente a la base de datos.",
    601: "Error de autenticación: el nombre de usuario o la contraseña son incorrectos.",
    602: "La cuenta de usuario se encuentra bloqueada.",
    603: "La contraseña de la cuenta ha expirado.",
    604: "Se superó el número máximo de intentos fallidos de autenticación.",
    605: "El usuario se encuentra inactivo.",
    611: "Los datos recibidos están incompletos o no se encuentran donde se esperaban.",
    612: "El XML está mal formado.",
    624: "Violación de una restricción de unicidad.",
    630: "Se han agotado los timbres de la implementación.",
    631: "Se han agotado los timbres del emisor.",
    632: "Se alcanzó el límite de uso justo por transacción.",
    633: "Cuenta de producción usada en pruebas, o cuenta de pruebas usada en producción.",
}
"""`mensaje` of each documented code. The codes are the provider's; the wording is the simulator's own."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Stamps of an account at one time."""

    contracted: int
    used: int

    @property
    def available(self) -> int:
        """What is left: contracted less used, never negative."""
        return self.contracted - self.used


@dataclass(frozen=True, slots=True)
class Refill:
    """The habit of buying `package` stamps whenever only `below` or fewer are left."""

    below: int
    package: int


@dataclass(frozen=True, slots=True)
class Life:
    """How an account's stamps are used and bought from `since` on.

    The balance depends on nothing but these values and the time: asking more often doesn't change it.
    """

    since: float
    """Unix time of the two figures below."""
    contracted: int
    used: int
    per_day: int
    """Stamps used on a plain working day."""
    refill: Refill | None = None
    """None: nobody buys stamps, the account runs dry and use stops there."""
    rhythm: Rhythm = OFFICE

    def needed(self, begin: float, end: float) -> int:
        """The stamps that are needed from a Unix time to a later one, also before `since`: its past."""
        work = self.rhythm.work_until(end) - self.rhythm.work_until(begin)
        return self.per_day * work // self.rhythm.plain_day

    def balance(self, now: float) -> Balance:
        """The stamps at a Unix time that isn't before `since`."""
        needed = self.used + self.needed(self.since, now)
        if self.refill is None:
            return Balance(self.contracted, min(needed, self.contracted))
        # The smallest number of packages that keeps more than `below` stamps available.
        shortage = needed + self.refill.below - self.contracted
        packages = max(0, shortage // self.refill.package + 1)
        return Balance(self.contracted + packages * self.refill.package, needed)


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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is told: a code of the provider's, and the figures where it has some."""

    code: int
    balance: Balance | None = None


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
    delay: float = 0.0
    """Real seconds from a call to its answer."""
    lockout: Lockout = UNLOCKED
    calls: int = 0
    """Calls of either operation so far."""

    def call(self, password: str, now: float, *, of_issuer: bool = False) -> Answer:
        """Count a call and answer it as of the simulated Unix time `now`.

        An account without stamps answers 630, or 631 where it is asked for an issuer's.
        """
        self.calls += 1
        balance = self.life.balance(now)
        self.lockout, code = self._judge(password, self.calls, balance)
        if code == 630 and of_issuer and self.code is None:
            code = 631
        has_figures = code == 200 or (code in {630, 631} and self.exhausted_figures)
        return Answer(code, balance if has_figures else None)

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
