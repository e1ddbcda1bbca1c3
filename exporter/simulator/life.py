"""PURE: stamps in time: how they are used and bought."""

from dataclasses import dataclass

from exporter.simulator.rhythm import OFFICE, Rhythm


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
