"""Whatever the order of answers, kills, restarts, reloads, renames, checks and resumptions: the lockout guard
holds. The provider here counts every try; the guard itself is not asked."""

import asyncio
import hashlib
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exporter.account.outcome import Outcome, Verdict
from exporter.config import Account
from exporter.guard.gate import ResumeTooSoonError
from exporter.secret import Secret
from tests.guard.model import HOUR, INTERVAL, Promise, Try
from tests.support.peers import FakeClock
from tests.support.places import MEMORY
from tests.support.rig import (
    USERNAME,
    Arrival,
    KilledError,
    Life,
    ScriptedProvider,
    account,
    asked_for,
    fails,
    gate_beside,
    kills,
    reading,
    sent,
    unreadable,
    unsent,
)

PASSWORDS = ("one", "two", "three")
TROUBLE: tuple[Outcome, ...] = (
    reading(500),
    reading(503),
    reading(632),
    reading(777),
    unreadable(),
    unreadable(),
    sent(),
    sent(),
)
NOT_SENT = unsent()
STOPS: tuple[Outcome, ...] = (reading(602), reading(604), reading(633))
HONEST = st.none()
"""The provider answers by the password: 200 or 601."""
LONGEST_WAIT = 24 * HOUR

T = TypeVar("T")


class GuardMachine(RuleBasedStateMachine):
    """One login at the provider: polled under one name or another, with one password or another."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory(dir=MEMORY)
        self.path = Path(self.directory.name) / "state.db"
        self.cheap = patch("exporter.guard.credential._digest", cheap_digest)
        self.cheap.start()
        self.clock = FakeClock()
        self.provider = self.run(made(ScriptedProvider, self.clock))
        self.provider.on_login = self.arrived
        self.under_way: list[tuple[asyncio.Task[None], Try]] = []
        self.arrivals: list[Try] = []
        self.proven = False
        self.unknown = 0
        # Seconds by which the clock has jumped ahead, and whether it has jumped at all, as long as the daemon
        # can't know.
        self.jumped, self.unnoticed = 0.0, False
        self.beside = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        if hasattr(self, "life"):
            self.run(self.life.stop())
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()
        self.cheap.stop()
        self.directory.cleanup()

    # The provider's view. -----------------------------------------------------------------------------

    def arrived(self, login: Arrival) -> None:
        """Judge a try: should the guard have held it back?"""
        proven = self.proven and not self.beside and login.password == self.password
        self.arrivals.append(self.promise.arrived(login.password, self.clock.monotonic(), proven=proven))

    def answer(self, password: str, outcome: Outcome | None) -> Outcome:
        """What the provider answers to a password."""
        return outcome or self.provider.judge(Arrival(USERNAME, password, self.clock.time()))

    def answered(self, tried: Try, answer: Outcome, *, heard: bool, beside: bool = False) -> None:
        """A try has been answered; `heard` where the exporter lived to hear it, on a working storage."""
        self.promise.answered(tried, answer, self.clock.monotonic(), heard=heard)
        if beside or tried.password != self.password or not heard:
            return
        if answer.verdict is Verdict.ACCEPTED:
            self.proven, self.unknown = True, 0
        elif answer.verdict in (Verdict.REFUSED, Verdict.STOP):
            self.proven = False
        elif answer.verdict is Verdict.UNKNOWN_FROM_SERVICE:
            self.unknown += 1
            self.proven = self.proven and self.unknown < self.promise.auth_attempts

    # The exporter's life. -----------------------------------------------------------------------------

    @initialize(password=st.sampled_from(PASSWORDS), auth_attempts=st.integers(1, 3))
    def begin(self, password: str, auth_attempts: int) -> None:
        self.promise = Promise(auth_attempts)
        self.name, self.password = "acme", password
        self.provider.passwords[USERNAME] = PASSWORDS[0]
        self.life = self.run(self.live())

    async def live(self) -> Life:
        life = Life(self.path, self.clock, self.provider)
        # Kills are tried here, not power cuts: waiting for the disk proves nothing.
        life.storage.read(lambda db: db.execute("PRAGMA synchronous = OFF"))
        await life.use(self.account())
        return life

    def account(self, password: str | None = None) -> Account:
        return account(password or self.password, self.name, auth_attempts=self.promise.auth_attempts)

    def is_due(self) -> bool:
        return self.name in self.life.agenda.due

    def is_idle(self) -> bool:
        return not self.under_way

    def is_at_rest(self) -> bool:
        return self.is_idle() and self.is_due()

    def polled(self, outcome: Outcome | None) -> None:
        """Poll once."""
        self.arrivals.clear()
        self.life.storage_errors.clear()
        answer = self.answer(self.password, outcome)
        self.provider.script = [answer]
        heard = lived = False
        try:
            self.run(self.life.poll(self.name))
            heard, lived = not self.life.storage_errors, True
            self.jumped, self.unnoticed = 0.0, False
        finally:
            self.provider.script = []
            for tried in self.arrivals:
                self.answered(tried, answer, heard=heard)
                if answer.verdict is Verdict.ACCEPTED and lived and tried.password == self.password:
                    self.proven, self.unknown = True, 0  # it knows, though it could not be kept
                if tried.proven and self.life.storage_errors:
                    self.promise.lost(tried)
                if answer.verdict in (Verdict.REFUSED, Verdict.STOP, Verdict.UNKNOWN_FROM_SERVICE):
                    self.proven = self.proven and heard

    @precondition(is_at_rest)
    @rule(outcome=HONEST | st.sampled_from((*TROUBLE, *STOPS, NOT_SENT, reading(601), reading(630))))
    def poll(self, outcome: Outcome | None) -> None:
        """The account is polled when it is due."""
        self.polled(outcome)

    @precondition(is_at_rest)
    @rule(
        outcome=HONEST | st.sampled_from((*TROUBLE, *STOPS, NOT_SENT)),
        write=st.integers(1, 6),
        after=st.booleans(),
    )
    def poll_and_be_killed(self, outcome: Outcome | None, write: int, after: bool) -> None:
        """Killed before or after one of the writes that the poll makes, and started again."""
        storage = self.life.storage
        setattr(storage, "after" if after else "before", kills(storage.writes + write))
        try:
            self.polled(outcome)
        except KilledError:
            self.restart_after(self.life.kill())
        else:
            storage.before = storage.after = nothing

    @precondition(is_at_rest)
    @rule(outcome=HONEST | st.sampled_from((*TROUBLE, *STOPS, NOT_SENT)), write=st.integers(1, 6))
    def poll_with_failing_storage(self, outcome: Outcome | None, write: int) -> None:
        """One of the poll's writes fails; what the answer meant may be kept later, or be lost with a kill."""
        storage = self.life.storage
        storage.before = fails(storage.writes + write)
        self.polled(outcome)
        storage.before = nothing

    @precondition(lambda self: self.is_due() and len(self.under_way) < 3)
    @rule()
    def begin_poll(self) -> None:
        """A poll that takes long: anything can happen before its answer."""
        self.arrivals.clear()
        self.provider.open.clear()
        task = self.run(self.life.begin_poll(self.name))
        self.jumped, self.unnoticed = 0.0, False
        if self.arrivals:
            self.under_way.append((task, self.arrivals[0]))
        else:
            self.run(finished(task))
        if not self.under_way:
            self.provider.open.set()

    @precondition(lambda self: self.under_way)
    @rule(outcome=HONEST | st.sampled_from((*TROUBLE, *STOPS)))
    def end_polls(self, outcome: Outcome | None) -> None:
        """All that is under way is answered, in order."""
        polls, self.under_way = self.under_way, []
        answers = [self.answer(tried.password, outcome) for _, tried in polls]
        self.provider.script = list(answers)
        self.provider.open.set()
        for task, _ in polls:
            self.run(finished(task))
        self.run(self.life.kept())
        self.provider.script = []
        for (_, tried), answer in zip(polls, answers, strict=True):
            self.answered(tried, answer, heard=True)

    @rule(seconds=st.sampled_from((60.0, INTERVAL, HOUR, 25 * HOUR)))
    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from((2 * HOUR, 30 * 24 * HOUR)))
    def jump_ahead(self, seconds: float) -> None:
        """The wall clock alone. Who is killed before he can notice takes it for time that has passed."""
        self.clock.time_seconds += seconds
        self.jumped, self.unnoticed = self.jumped + seconds, True

    @rule()
    def jump_back(self) -> None:
        """Likewise."""
        self.clock.time_seconds -= 30 * 24 * HOUR
        self.unnoticed = True

    @rule(password=st.sampled_from((*PASSWORDS, "none of them")))
    def change_password_at_provider(self, password: str) -> None:
        """Someone else did, and it has to be put into the configuration."""
        self.provider.passwords[USERNAME] = password

    @rule(password=st.sampled_from(PASSWORDS), name=st.sampled_from(("acme", "renamed")))
    def reload(self, password: str, name: str) -> None:
        """With another, the same or an earlier password, perhaps renamed."""
        self.name = name
        if password != self.password:
            self.proven, self.unknown = False, 0
        self.password = password
        self.run(self.life.use(self.account()))

    @rule(password=st.sampled_from(PASSWORDS), in_order=st.booleans())
    def restart(self, password: str, in_order: bool) -> None:
        """By hand, in a roll-out or after a kill."""
        self.password = password
        self.restart_after(self.life.stop() if in_order else self.life.kill())

    def restart_after(self, end: Coroutine[Any, Any, None]) -> None:
        """Polls under way are cut off: nobody hears their answers."""
        self.under_way = []
        self.run(end)
        self.provider.open.set()
        self.proven, self.unknown = False, 0
        self.promise.aged(self.jumped, self.clock.monotonic())
        self.jumped, self.unnoticed = 0.0, False
        self.life = self.run(self.live())

    @precondition(is_idle)
    @rule(
        outcome=HONEST | st.sampled_from((*TROUBLE, *STOPS)),
        password=st.sampled_from(PASSWORDS),
        looks=st.booleans(),
    )
    def check_beside(self, outcome: Outcome | None, password: str, looks: bool) -> None:
        """`check` in another process, with the password of its own configuration."""
        if self.unnoticed:
            self.look()  # two processes that know of different times are another matter
        self.arrivals.clear()
        answer = self.answer(password, outcome)
        self.provider.script = [answer]
        self.beside = True
        self.run(self.check(password))
        self.beside = False
        self.provider.script = []
        for tried in self.arrivals:
            self.answered(tried, answer, heard=True, beside=True)
        if looks:
            self.run(self.life.roster.look_around())

    async def check(self, password: str) -> None:
        async with gate_beside(self.path, self.clock) as gate:
            asked = asked_for(self.account(password))
            await gate.adopt(asked.login)
            await self.provider.ask(asked, gate)

    @rule()
    def look_around(self) -> None:
        """As the daemon does twice a minute."""
        self.look()

    def look(self) -> None:
        self.run(self.life.roster.look_around())
        self.jumped, self.unnoticed = 0.0, False

    @precondition(is_idle)
    @rule()
    def resume(self) -> None:
        """One new try, if the account is held back and wasn't resumed within the hour."""
        try:
            resumed = self.run(self.life.roster.resume(self.name))
        except ResumeTooSoonError:
            return
        if resumed:
            self.promise.resumed(self.password, self.clock.monotonic())

    # What must hold. ----------------------------------------------------------------------------------

    @invariant()
    def nothing_was_sent_that_should_not_have_been(self) -> None:
        if hasattr(self, "life"):
            self.run(self.life.kept())  # so that each example is the same each time
        if hasattr(self, "promise"):
            assert not self.promise.broken, self.promise.broken

    @invariant()
    def suspended_or_polled_again(self) -> None:
        """Whatever isn't suspended is due within a day."""
        if hasattr(self, "life") and not self.under_way and not self.life.state(self.name).suspension:
            due = self.life.agenda.due.get(self.name)
            assert due is not None, "never polled again"
            wait = due - self.clock.monotonic()
            assert wait <= LONGEST_WAIT + 1, f"polled again in {wait / HOUR} h only"


def nothing(_number: int) -> None:
    """For `FlakyStorage`: all goes well."""


def cheap_digest(_method: str, password: Secret, salt: bytes) -> bytes:
    """scrypt takes long, as it should; this machine makes thousands."""
    return hashlib.blake2b(password.reveal().encode(), salt=salt).digest()


async def made(kind: type[ScriptedProvider], clock: FakeClock) -> ScriptedProvider:
    return kind(clock)


async def finished(task: asyncio.Task[None]) -> None:
    await task


TestGuardMachine = GuardMachine.TestCase
TestGuardMachine.settings = settings(max_examples=100, stateful_step_count=50)
