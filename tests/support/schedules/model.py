"""A guard that keeps the contract, in a world of its own without processes: the judge has to acquit it.

And guards that break it in one way each, whom the judge has to find guilty.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from tests.support.schedules.answers import Says
from tests.support.schedules.history import History, Login, Run

USERNAME = "ws@acme.example"
PASSWORDS = ("right", "one", "two")
FLAWS = (
    "a kill gives its try back",
    "what is unknown is neutral",
    "an acceptance forgets every refusal",
    "open tries are the credential's",
    "a refusal after a thaw is lost",
    "a stop is a refusal",
    "a proven credential is not marked",
    "a proven credential stays proven",
    "a resumption forgets everything",
    "a restart forgets refusals",
    "one try more",
)
ENDS = 20.0
ANSWERS = (Says.REFUSED, Says.REFUSED, Says.REFUSED, *Says)


@dataclass(eq=False)
class Process:
    """A daemon or a check, as the model has it."""

    run: Run
    password: str
    proven: set[str] = field(default_factory=set)
    unknown: Counter[str] = field(default_factory=Counter)
    asking: set[str] = field(default_factory=set)
    thawed: float = 0.0
    due: float = 0.0


class World:
    """One login, its guard, and everything that happens to it in some twenty seconds."""

    def __init__(self, seed: int, flaw: str = "") -> None:
        self.dice, self.flaw = random.Random(seed), flaw  # noqa: S311 - for histories
        self.attempts = self.dice.choice((1, 2, 3))
        self.says = self.dice.choice(
            (ANSWERS, (Says.REFUSED, Says.SERVICE), (Says.REFUSED,), (Says.SERVICE,))
        )
        self.history = History(attempts={USERNAME: self.attempts})
        self.open: dict[int, str] = {}
        self.refused: Counter[str] = Counter()
        self.stopped: set[str] = set()
        self.resumed = False
        self.now = 0.0
        self.right = PASSWORDS[0]
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self.daemon: Process | None = None

    def live(self) -> History:
        """Let it all happen."""
        self.start()
        pace = self.dice.choice((0.6, 2.5))
        for number in range(int(ENDS / pace)):
            self.at(number * pace + self.dice.uniform(0.0, pace), self.happen)
        self.at(ENDS, lambda: None)
        while self.now < ENDS:
            self.now, _, do = heapq.heappop(self._agenda)
            do()
        return self.history

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._agenda, (when, next(self._numbers), do))

    # What happens. ------------------------------------------------------------------------------------

    def happen(self) -> None:
        """One of the things that happen to a site."""
        daemon, roll = self.daemon, self.dice.random()
        if daemon is None:
            self.start()
        elif roll < 0.2:
            daemon.run.killed = self.now
            self.daemon = None
        elif roll < 0.3:
            daemon.run.told = daemon.run.ended = self.now
            self.daemon = None
        elif roll < 0.45:
            daemon.thawed = self.now + self.dice.uniform(0.1, 3.0)
            daemon.run.frozen.append((self.now, daemon.thawed))
        elif roll < 0.65:
            daemon.password = self.dice.choice(PASSWORDS)
            daemon.run.reloads.append(self.now)
            daemon.asking.clear()
            daemon.due = self.now
            self.poll(daemon)
        elif roll < 0.85:
            self.check()
        elif roll < 0.9:
            self.resume(daemon.password)

    def start(self) -> None:
        """Start a daemon."""
        run = Run(f"daemon{len(self.history.runs)}", "daemon", self.now)
        self.history.runs[run.tag] = run
        self.daemon = Process(run, self.dice.choice(PASSWORDS))
        if self.flaw == "a restart forgets refusals":
            self.refused.clear()
        self.poll(self.daemon)

    def check(self) -> None:
        """Check once, beside the daemon."""
        run = Run(f"check{len(self.history.runs)}", "check", self.now)
        self.history.runs[run.tag] = run
        check = Process(run, self.dice.choice(PASSWORDS))
        if not self.ask(check):
            run.ended = self.now

    def resume(self, password: str) -> None:
        """Resume the login, which somebody does once an hour."""
        self.history.resumes.append((self.now, USERNAME, password))
        if self.resumed or self.allows(password, proven=False):
            return
        self.resumed = True
        self.stopped.discard(password)
        if self.flaw == "a resumption forgets everything":
            self.open.clear()
            self.refused.clear()
        while self.refused[password] + len(self.open) >= self.attempts and self.open:
            self.open.pop(next(iter(self.open)))
        self.refused[password] = self.attempts - 1 - len(self.open)

    # The guard. ---------------------------------------------------------------------------------------

    def allows(self, password: str, *, proven: bool) -> bool:
        """Whether a try may be sent."""
        if password in self.stopped or self.refused[password] >= self.attempts:
            return False
        mine = "open tries are the credential's"
        open_tries = sum(self.flaw != mine or password == one for one in self.open.values())
        limit = self.attempts + (self.flaw == "one try more")
        return proven or self.refused[password] + open_tries < limit

    def poll(self, process: Process) -> None:
        """Ask where it is due, and go on for as long as the process lives."""
        if process.run.gone() <= self.now or self.now < process.due:
            return
        if self.now < process.thawed or process.password in process.asking:
            self.at(max(process.thawed, self.now + 0.05), lambda: self.poll(process))
            return
        process.due = self.now + 1.0
        self.at(process.due, lambda: self.poll(process))
        self.ask(process)

    def ask(self, process: Process) -> bool:
        """Charge and send."""
        password = process.password
        proven = password in process.proven
        if not self.allows(password, proven=proven):
            return False
        says = self.dice.choice(self.says)
        if self.dice.random() < 0.05:
            self.right = self.dice.choice(PASSWORDS)
        if password == self.right and (
            says in (Says.REFUSED, Says.REFUSED_OR_UNKNOWN) or self.dice.random() < 0.5
        ):
            says = Says.ACCEPTED
        if password != self.right and says is Says.ACCEPTED:
            says = Says.REFUSED
        number = len(self.history.logins)
        if not (proven and self.flaw == "a proven credential is not marked"):
            self.open[number] = password
        login = Login(
            number, self.now, process.run, USERNAME, password, "", says, right=says is Says.ACCEPTED
        )
        self.history.logins.append(login)
        process.asking.add(password)
        self.at(self.now + self.dice.choice((0.001, 0.01, 0.5, 0.9)), lambda: self.answer(process, login))
        return True

    def answer(self, process: Process, login: Login) -> None:
        """The provider answers, to whoever is still there; it is kept a little later."""
        if process.run.gone() <= self.now:
            return
        login.answered = self.now
        kept = max(self.now, process.thawed) + self.dice.choice((0.0, 0.01, 0.1))
        self.at(kept, lambda: self.settle(process, login))

    def settle(self, process: Process, login: Login) -> None:
        """Keep what an answer says."""
        run, password, says = process.run, login.password, login.says
        if run.gone() <= self.now:
            if self.flaw == "a kill gives its try back":
                self.open.pop(login.number, None)
            return
        if self.now < process.thawed:
            self.at(process.thawed, lambda: self.settle(process, login))
            return
        if run.kind == "check":
            run.ended = self.now
        self._keep(process, login, password, says)

    def _keep(self, process: Process, login: Login, password: str, says: Says) -> None:
        process.asking.discard(password)
        late = process.run.was_frozen(login.answered, login.answered)
        in_a_row = process.unknown[password] + 1 if says is Says.SERVICE else 0
        process.unknown[password] = in_a_row
        if says is Says.ACCEPTED:
            self.open.clear()
            self.refused[password] = 0
            if self.flaw == "an acceptance forgets every refusal":
                self.refused.clear()
            process.proven.add(password)
            return
        unknown = says in (Says.SERVICE, Says.UNKNOWN, Says.REFUSED_OR_UNKNOWN)
        if not unknown or self.flaw == "what is unknown is neutral":
            self.open.pop(login.number, None)
        if says in (Says.REFUSED, Says.STOP) and not (late and self.flaw == "a refusal after a thaw is lost"):
            if says is Says.STOP and self.flaw != "a stop is a refusal":
                self.stopped.add(password)
            else:
                self.refused[password] += 1
            process.proven.discard(password)
        if in_a_row >= self.attempts and self.flaw != "a proven credential stays proven":
            process.proven.discard(password)


def lives(flaw: str, seeds: range) -> list[History]:
    """What happened to as many guards."""
    return [World(seed, flaw).live() for seed in seeds]
