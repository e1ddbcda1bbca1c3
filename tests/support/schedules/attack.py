"""Runs a schedule against real processes and tells what broke."""

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from tests.support.places import MEMORY
from tests.support.schedules.history import History, Login, Run, login_key
from tests.support.schedules.oracle import judge, told
from tests.support.schedules.provider import Provider
from tests.support.schedules.site import Account, Site
from tests.support.schedules.story import SPELLINGS, Story, tell

NEIGHBOUR = "neighbour"
NEIGHBOUR_USERNAME = "healthy@other.example"
ACCOUNTS = 5
"""In one schedule: they share the processes and their fate; each has a login and passwords of its own."""
LONGEST_GAP = 8.0
"""Seconds within which the healthy neighbour is polled, where nothing keeps the daemon from it.

Its interval is 1 s; the machine may be busy.
"""


@dataclass
class Report:
    """What became of a schedule."""

    seed: int
    logins: int
    processes: int
    breaks: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(
            [f"seed {self.seed}:", *(f"  BROKEN: {broken}" for broken in self.breaks), *self.lines]
        )


def attack(seed: int, accounts: int = ACCOUNTS, *, keep: bool = False) -> Report:
    """Run the schedule of a seed; `keep` the files of the processes, their logs among them."""
    history, story = History(), tell(seed, accounts)
    directory = Path(tempfile.mkdtemp(prefix="schedule-", dir=None if keep else MEMORY))
    try:
        with ExitStack() as stack:
            provider = stack.enter_context(Provider(history))
            site = stack.enter_context(Site(directory, provider, _accounts(story)))
            performance = Performance(story, provider, site)
            try:
                breaks = performance.run()
            except AssertionError as error:  # a daemon that doesn't start, or ends
                breaks = [*performance.breaks, str(error)]
        breaks = [*told(judge(history)), *breaks]
        lines = [*performance.told(), *([f"  files: {directory}"] if keep else [])]
        return Report(seed, len(history.logins), len(history.runs), breaks, lines)
    finally:
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)


def _accounts(story: Story) -> list[Account]:
    return [
        *(
            Account(f"a{who}", SPELLINGS[0].format(who), start.configured, start.auth_attempts)
            for who, start in enumerate(story.starts)
        ),
        Account(NEIGHBOUR, NEIGHBOUR_USERNAME, "healthy", 3, timeout="30s"),
    ]


class Performance:
    """One schedule while it runs."""

    def __init__(self, story: Story, provider: Provider, site: Site) -> None:
        self.story, self.provider, self.site = story, provider, site
        self.history = site.history
        self.began = time.monotonic()
        self.happened: list[tuple[float, str]] = []
        self.checks: list[Run] = []
        self.breaks: list[str] = []
        self.offset = 0.0
        provider.set_password(NEIGHBOUR_USERNAME, "healthy")
        for who, start in enumerate(story.starts):
            provider.set_password(self.account(who).username, start.right)
            provider.always(self.account(who).username, start.always)

    def account(self, who: int) -> Account:
        """The account of this number, whatever it is called now."""
        return self.site.accounts[who]

    def run(self) -> list[str]:
        """Do all steps, then show the way out; return what broke but for logins, which the oracle judges."""
        self.note(f"starts as {'; '.join(map(str, self.story.starts))}")
        self.site.start()
        for step in self.story.steps:
            self.note(str(step))
            arguments = {**step.what} if step.who is None else {"who": step.who, **step.what}
            getattr(self, f"do_{step.do}")(**arguments)
            time.sleep(step.pause)
        self.end_well()
        return self.breaks

    def note(self, text: str) -> None:
        """Write down what happens."""
        self.happened.append((time.monotonic(), text))

    def told(self) -> list[str]:
        """The whole story in the order of time, the provider's view in between."""
        lines = [
            *self.happened,
            *(
                (login.at, f"    {_described(login, self.began)}")
                for login in self.history.logins
                if login.key != NEIGHBOUR_USERNAME
            ),
        ]
        for run in self.history.runs.values():
            lines.append((run.started, f"    {run.tag} starts"))
            if run.killed < inf:
                lines.append((run.killed, f"    {run.tag} is killed"))
            elif run.ended < inf:
                lines.append((run.ended, f"    {run.tag} has ended"))
        return [f"  {at - self.began:7.3f} {text}" for at, text in sorted(lines)]

    # Steps. -------------------------------------------------------------------------------------------

    def do_wait(self) -> None:
        """Nothing happens for a while."""
        time.sleep(0.8)

    def do_configure(
        self, who: int, password: str, spelling: int, renamed: bool, reload: bool, in_the_middle: bool
    ) -> None:
        """Another password, spelling of the username, or name; perhaps in the middle of a poll."""
        account = self.account(who)
        with self.provider.holding(account.username) if in_the_middle else nullcontext():
            if in_the_middle:
                self._await_moment(who, "as a login arrives")
            account.password, account.username = password, SPELLINGS[spelling].format(who)
            account.name += "x" if renamed else ""
            account.configured = True
            if reload:
                self.site.reload()
                time.sleep(0.5 if in_the_middle else 0.0)

    def do_remove(self, who: int) -> None:
        """The account is no longer configured, for a while."""
        self.account(who).configured = False
        self.site.reload()

    def do_outage(self, seconds: float, of: str) -> None:
        """The provider doesn't answer anybody, or has no WSDL."""
        self.provider.is_down, self.provider.is_undescribed = of == "all", of != "all"
        time.sleep(seconds)
        self.provider.is_down = self.provider.is_undescribed = False

    def do_turn(self, who: int, right: str) -> None:
        """Another password is right."""
        self.provider.set_password(self.account(who).username, right)

    def do_answer(self, who: int, with_: tuple[str, ...]) -> None:
        """The next logins are answered so."""
        self.provider.answer(self.account(who).username, *with_)

    def do_check(self, who: int, resume: bool, then: str, delay: float) -> None:
        """Somebody checks at a terminal."""
        seen = self.provider.count(self.account(who).username)
        check = self.site.check(self.account(who).name, resume=resume)
        if then == "wait":
            self.site.await_end(check)
            return
        self.checks.append(check)
        if then == "go on":
            return
        with self.provider.holding(self.account(who).username):
            self.provider.await_login(self.account(who).username, seen, 2.0)
            if then == "freeze":
                self.site.freeze(check)
        time.sleep(delay)
        if then == "freeze":
            time.sleep(1.2)
            self.site.thaw(check)
        else:
            self.site.kill(check)

    def do_resume(self, who: int) -> None:
        """Somebody resumes the account over HTTP."""
        if self.site.daemon:
            self.site.start()
            self.note(f"    answer: {self.site.resume(self.account(who).name).status}")

    def do_kill(self, who: int, when: str, delay: float, answer_first: bool, restart: bool) -> None:
        """The daemon is killed, perhaps just as something happens."""
        self._end(self.site.kill, who, when, delay, answer_first=answer_first, restart=restart)

    def do_stop(self, who: int, when: str, delay: float, answer_first: bool, restart: bool) -> None:
        """The daemon is told to end, perhaps just as something happens."""
        self._end(self.site.stop, who, when, delay, answer_first=answer_first, restart=restart)

    def _end(
        self,
        end: Callable[[Run], None],
        who: int,
        when: str,
        delay: float,
        *,
        answer_first: bool,
        restart: bool,
    ) -> None:
        run = self.site.start()
        with ExitStack() as held:
            if not answer_first and when != "after an answer":
                held.enter_context(self.provider.holding(self.account(who).username))
            self._await_moment(who, when)
            time.sleep(min(delay, 0.8) if not answer_first else delay)
            end(run)
        if restart:
            self.site.start()

    def _await_moment(self, who: int, when: str) -> None:
        username = self.account(who).username
        seen = self.provider.count(username)
        if when == "as a login arrives":
            self.provider.await_login(username, seen, 2.5)
        elif when == "after an answer":
            self.provider.await_answer(username, seen, 2.5)

    def do_crash_loop(self, delays: tuple[float, ...]) -> None:
        """The daemon is killed while it starts, over and over."""
        for delay in delays:
            run = self.site.start(loaded=False)
            time.sleep(delay)
            self.site.kill(run)
        self.site.start()

    def do_freeze(self, who: int, when: str, delay: float, seconds: float) -> None:
        """The daemon stands still; answers come meanwhile."""
        run = self.site.start()
        with self.provider.holding(self.account(who).username):
            self._await_moment(who, when if when != "after an answer" else "as a login arrives")
            if when != "after an answer":
                time.sleep(min(delay, 0.3))
                self.site.freeze(run)
        if when == "after an answer":
            time.sleep(delay)
            self.site.freeze(run)
        time.sleep(seconds)
        self.site.thaw(run)

    def do_full_disk(self, seconds: float, then: str) -> None:
        """The daemon's disk is full for a while, perhaps until its end."""
        run = self.site.start()
        self.site.fill_disk(run)
        time.sleep(seconds)
        if then:
            (self.site.kill if then == "kill" else self.site.stop)(run)
            self.site.free_disk(run)
            self.site.start()
        else:
            self.site.free_disk(run)

    def do_jump(self, to: float) -> None:
        """The wall clock jumps."""
        self.offset = to
        self.site.clock.set(to)

    def do_second_daemon(self) -> None:
        """One more daemon is started on the same storage."""
        self.site.start()
        if (code := self.site.start_second()) != 1:
            self.breaks.append(f"a second daemon on the same storage ended with {code}, not 1")

    # The other side. ----------------------------------------------------------------------------------

    def end_well(self) -> None:
        """With the right password configured, and resumed where that is needed, each account comes up."""
        for check in self.checks:
            self.site.await_end(check)
        self.note("the way out: right passwords, honest answers")
        for who in range(len(self.story.starts)):
            account = self.account(who)
            self.provider.always(account.username)
            account.username, account.configured = SPELLINGS[0].format(who), True
            account.password = self.provider.right(account.username)
        if self.site.daemon:
            self.site.start()
            self.site.reload()
        run, since = self.site.start(), time.monotonic()
        down = self._await_up(since, [*self.site.accounts], 4.0)
        for account in down:
            answer = self.site.resume(account.name)
            self.note(f"    resume {account.name}: {answer.status} {answer.text.strip()}")
        for account in self._await_up(since, down, 60.0):
            if not self._was_resumed_before(account, since):
                self.breaks.append(f"no way out: {account.name} does not come up with the right password")
        if self.site.daemon is not run:
            self.breaks.append("the daemon has ended by itself")
        self._judge_neighbour()

    def _await_up(self, since: float, accounts: list[Account], timeout: float) -> list[Account]:
        """Wait until these are up; return those that aren't."""
        deadline = time.monotonic() + timeout
        while True:
            shown: dict[str, float] = {}
            with suppress(OSError):
                shown = self.site.metrics()
            down = [
                account
                for account in accounts
                if shown.get(f'cfdi_account_up{{account="{account.name}"}}') != 1
                or not self._accepted(account, since)
            ]
            if not down or time.monotonic() > deadline:
                return down
            time.sleep(0.1)

    def _accepted(self, account: Account, since: float) -> bool:
        return any(
            login.right and login.at >= since and login.heard(time.monotonic())
            for login in self.history.of(login_key(account.username))
        )

    def _was_resumed_before(self, account: Account, since: float) -> bool:
        """Then it can't be within the hour, and may have to wait."""
        key = login_key(account.username)
        return any(at < since and resumed == key for at, resumed, _ in self.history.resumes)

    def _judge_neighbour(self) -> None:
        """Once accepted, it is polled on as long as its daemon runs, whatever happens beside it."""
        logins = self.history.of(NEIGHBOUR_USERNAME)
        for run in self.history.runs.values():
            asked = [login.at for login in logins if login.run is run]
            if run.kind != "daemon" or not asked:
                continue
            for at, after in zip(asked, [*asked[1:], min(run.gone(), time.monotonic())], strict=True):
                if run.awake_for(at, LONGEST_GAP) < after:
                    self.breaks.append(f"the neighbour was not polled for {after - at:.1f} s by {run.tag}")


def _described(login: Login, began: float) -> str:
    end = "not heard" if login.answered == inf else f"answered at {login.answered - began:.3f}"
    return (
        f"login {login.number} of {login.username} with {login.password!r}"
        f" from {login.run.tag}: {login.answer} ({login.says.value}), {end}"
    )
