"""Whatever the order of answers, kills, restarts, reloads, renames, checks and resumptions: the lockout guard
holds. The provider here counts every try; the guard itself is not asked."""

import asyncio
import hashlib
import tempfile
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exporter.account.codes import Effect, effect
from exporter.account.outcome import Outcome, Reading
from exporter.config import Account
from exporter.daemon.state_file import open_storage
from exporter.guard.gate import Guard, ResumeTooSoonError
from exporter.guard.ledger import Held
from exporter.secret import Secret
from tests.support.peers import FakeClock
from tests.support.rig import (
    INTERVAL,
    USERNAME,
    KilledError,
    Life,
    Login,
    ScriptedProvider,
    account,
    fails,
    kills,
    sent,
    unsent,
)

HOUR = 3600.0
PASSWORDS = ("one", "two", "three")
TROUBLE: tuple[Outcome, ...] = (reading(500), reading(503), reading(632), reading(777), sent())
NOT_SENT = unsent()
STOPS: tuple[Outcome, ...] = (reading(602), reading(604), reading(633))
HONEST = st.none()
"""The provider answers by the password: 200 or 601."""

T = TypeVar("T")


@dataclass(eq=False)
class Try:
    """A login that reached the provider; `refused` is None as long as nobody has heard the answer."""

    password: str
    at: float
    proven: bool
    refused: bool | None = None

    def stands(self, now: float) -> bool:
        """Whether it counts: a refusal for ever, an answer that was lost for an hour.

        A try with a proven credential is charged when its refusal is heard, so one that was lost never is.
        """
        return bool(self.refused) or (self.refused is None and not self.proven and now - self.at < HOUR)


@dataclass
class Credential:
    """What the provider has seen of one password since it last accepted it."""

    tries: list[Try] = field(default_factory=list)
    stopped: bool = False
    not_before: float = 0.0


class GuardMachine(RuleBasedStateMachine):
    """One login at the provider: polled under one name or another, with one password or another."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "state.db"
        self.cheap = patch("exporter.guard.credential._digest", cheap_digest)
        self.cheap.start()
        self.clock = FakeClock()
        self.provider = self.run(made(ScriptedProvider, self.clock))
        self.provider.on_login = self.arrived
        self.seen = {password: Credential() for password in PASSWORDS}
        self.violations: list[str] = []
        self.under_way: list[tuple[asyncio.Task[None], Try]] = []
        self.sender_is_proven = False
        self.arrivals: list[Try] = []

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

    def arrived(self, login: Login) -> None:
        """Judge a try: should the guard have held it back?"""
        credential, now = self.seen[login.password], login.at
        if (standing := self.standing(credential)) >= self.auth_attempts:
            self.violations.append(f"{login.password}: sent though {standing} tries stand")
        if credential.stopped:
            self.violations.append(f"{login.password}: sent though it is suspended")
        if not self.sender_is_proven and now < credential.not_before:
            self.violations.append(
                f"{login.password}: sent unproven {credential.not_before - now} s too early"
            )
        self.arrivals.append(Try(login.password, now, self.sender_is_proven))
        credential.tries += self.arrivals[-1:]
        if not self.sender_is_proven:
            credential.not_before = now + INTERVAL

    def standing(self, credential: Credential) -> int:
        return sum(earlier.stands(self.clock.time()) for earlier in credential.tries)

    def answer(self, password: str, outcome: Outcome | None) -> Outcome:
        """What the provider answers to a password."""
        return outcome or self.provider.judge(Login(USERNAME, password, self.clock.time()))

    def answered(self, tried: Try, answer: Outcome, *, kept: bool) -> None:
        """A try has been answered; `kept` where the exporter lived to hear it, on a working storage."""
        credential = self.seen[tried.password]
        kind = effect(answer.status) if isinstance(answer, Reading) else Effect.RETRY
        if kind is Effect.BALANCE:
            self.seen[tried.password] = Credential()  # it ends the provider's own count too
        elif kind is not Effect.REFUSED:
            tried.refused = False
            credential.stopped |= kept and kind is Effect.STOP
        elif kept:
            tried.refused = True
            credential.not_before = max(credential.not_before, tried.at + INTERVAL)
            if tried not in credential.tries:  # a resumption came between
                credential.tries.append(tried)

    # The exporter's life. -----------------------------------------------------------------------------

    @initialize(password=st.sampled_from(PASSWORDS), auth_attempts=st.integers(1, 3))
    def begin(self, password: str, auth_attempts: int) -> None:
        self.auth_attempts, self.name, self.password = auth_attempts, "acme", password
        self.provider.passwords[USERNAME] = PASSWORDS[0]
        self.life = self.run(self.live())

    async def live(self) -> Life:
        life = Life(self.path, self.clock, self.provider)
        # Kills are tried here, not power cuts: waiting for the disk proves nothing.
        life.storage.read(lambda db: db.execute("PRAGMA synchronous = OFF"))
        await life.use(self.account())
        return life

    def account(self) -> Account:
        return account(self.password, self.name, auth_attempts=self.auth_attempts)

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
        self.sender_is_proven = self.life.state(self.name).proven
        answer = self.answer(self.password, outcome)
        self.provider.script = [answer]
        kept = False
        try:
            self.run(self.life.poll(self.name))
            kept = not self.life.storage_errors
        finally:
            self.provider.script = []
            for tried in self.arrivals:
                self.answered(tried, answer, kept=kept)

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
        self.sender_is_proven = self.life.state(self.name).proven
        self.provider.open.clear()
        task = self.run(self.life.begin_poll(self.name))
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
        self.provider.script = []
        for (_, tried), answer in zip(polls, answers, strict=True):
            self.answered(tried, answer, kept=True)

    @rule(seconds=st.sampled_from((60.0, INTERVAL, HOUR, 25 * HOUR)))
    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @rule(password=st.sampled_from((*PASSWORDS, "none of them")))
    def change_password_at_provider(self, password: str) -> None:
        """Someone else did, and it has to be put into the configuration."""
        self.provider.passwords[USERNAME] = password

    @rule(password=st.sampled_from(PASSWORDS), name=st.sampled_from(("acme", "renamed")))
    def reload(self, password: str, name: str) -> None:
        """With another, the same or an earlier password, perhaps renamed."""
        self.name = name
        if self.can_be_told_apart(known=self.life.guard._owners):
            self.password = password
        self.run(self.life.use(self.account()))

    @rule(password=st.sampled_from(PASSWORDS), in_order=st.booleans())
    def restart(self, password: str, in_order: bool) -> None:
        """By hand, in a roll-out or after a kill."""
        if self.can_be_told_apart(known={}):
            self.password = password
        self.restart_after(self.life.stop() if in_order else self.life.kill())

    def can_be_told_apart(self, known: Mapping[int, object]) -> bool:
        """Whether the guard can tell whose each record is; else another password would take over what is held
        against the former one, which the design accepts."""
        query = "SELECT id, digest FROM credential"
        records = self.run(self.life.storage.transact(lambda db: db.execute(query).fetchall()))
        return all(digest or record in known for record, digest in records)

    def restart_after(self, end: Coroutine[Any, Any, None]) -> None:
        """Polls under way are cut off: nobody hears their answers."""
        self.under_way = []
        self.run(end)
        self.provider.open.set()
        self.life = self.run(self.live())

    @precondition(is_idle)
    @rule(outcome=HONEST | st.sampled_from((*TROUBLE, *STOPS)))
    def check_beside(self, outcome: Outcome | None) -> None:
        """`check` in another process; within a minute the daemon looks around."""
        self.arrivals.clear()
        self.sender_is_proven = False
        answer = self.answer(self.password, outcome)
        self.provider.script = [answer]
        self.run(self.check())
        self.provider.script = []
        for tried in self.arrivals:
            self.answered(tried, answer, kept=True)
        self.run(self.life.roster.look_around())

    async def check(self) -> None:
        storage = open_storage(self.path, exclusive=False, now=self.clock.time())
        guard, asked = Guard(storage), self.account()
        credential, standing = await guard.adopt(asked, self.clock.time())
        if not standing.suspension:
            charge = await guard.charge(credential, asked, self.clock.time())
            if not isinstance(charge, Held):
                started = self.clock.time()
                outcome = await self.provider.ask("how", asked, credential.password)
                await guard.settle(credential, charge, outcome, asked, started)
        await storage.close()

    @rule()
    def look_around(self) -> None:
        """As the daemon does twice a minute."""
        self.run(self.life.roster.look_around())

    @precondition(is_idle)
    @rule()
    def resume(self) -> None:
        """One new try, if the account is suspended and wasn't resumed within the hour."""
        try:
            resumed = self.run(self.life.roster.resume(self.name))
        except ResumeTooSoonError:
            return
        if not resumed:
            return
        credential = self.seen[self.password]
        credential.not_before = 0.0
        if credential.stopped or self.standing(credential) >= self.auth_attempts:
            used_up = [
                Try(self.password, 0.0, proven=False, refused=True) for _ in range(self.auth_attempts - 1)
            ]
            self.seen[self.password] = Credential(used_up)
        # Else it was suspended in memory only, as a refusal could not be kept: all other tries are left.

    # What must hold. ----------------------------------------------------------------------------------

    @invariant()
    def nothing_was_sent_that_should_not_have_been(self) -> None:
        assert not self.violations, self.violations

    @invariant()
    def suspended_or_polled_again(self) -> None:
        """Whatever isn't suspended is due within eight intervals, or the hour of a lost charge."""
        if hasattr(self, "life") and not self.under_way and not self.life.state(self.name).suspension:
            due = self.life.agenda.due.get(self.name)
            assert due is not None, "never polled again"
            assert due - self.clock.monotonic() <= max(8 * INTERVAL, HOUR) + 1


def nothing(_number: int) -> None:
    """For `FlakyStorage`: all goes well."""


def cheap_digest(password: Secret, salt: bytes) -> bytes:
    """scrypt takes long, as it should; this machine makes thousands."""
    return hashlib.blake2b(password.reveal().encode(), salt=salt).digest()


async def made(kind: type[ScriptedProvider], clock: FakeClock) -> ScriptedProvider:
    return kind(clock)


async def finished(task: asyncio.Task[None]) -> None:
    await task


TestGuardMachine = GuardMachine.TestCase
TestGuardMachine.settings = settings(max_examples=100, stateful_step_count=50)
