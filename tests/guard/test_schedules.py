"""The lockout guard from outside: stories and random schedules, judged by the provider's count of logins.

The bound is the contract's ("The guard" in docs/design.md), as `tests/support/schedules/oracle.py` reads
it. More random schedules than here: `scripts/attack-guard.py`.
"""

import multiprocessing
import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path

import pytest

from tests.support.peers import eventually
from tests.support.peers.ci import in_ci
from tests.support.schedules.answers import REFUSALS, TROUBLE, Says
from tests.support.schedules.attack import attack
from tests.support.schedules.history import History, Login, Run, login_key
from tests.support.schedules.oracle import judge, told
from tests.support.schedules.provider import Provider
from tests.support.schedules.site import Account, Site

USERNAME = "ws@acme.example"
ATTEMPTS = 2
GROUPS = 2


class Scene:
    """A site with one account, or several, and the provider that counts."""

    def __init__(self, provider: Provider, directory: Path, stack: ExitStack) -> None:
        self.provider, self._directory, self._stack = provider, directory, stack

    def set(self, *accounts: Account, right: str = "right") -> Site:
        """Configure these; nothing runs yet."""
        for account in accounts:
            self.provider.set_password(account.username, right)
        self.site = self._stack.enter_context(Site(self._directory, self.provider, list(accounts)))
        return self.site

    def configure(self, password: str) -> None:
        """Write another password for the first account; nobody is told."""
        self.site.accounts[0].password = password

    def await_login(self, timeout: float = 30.0) -> bool:
        """Wait for one more login of the first account, for a while."""
        username = self.site.accounts[0].username
        return self.provider.await_login(username, self.provider.count(username), timeout)

    def tries(self, password: str) -> int:
        """How many logins the first account has had with this password."""
        return self.provider.count(self.site.accounts[0].username, password)

    def logins(self, account: Account) -> list[Login]:
        """All of an account, so far."""
        return self.provider.history.of(login_key(account.username))

    def broken(self) -> list[str]:
        """All logins beyond the contract."""
        return told(judge(self.provider.history))

    def await_rest(self, tag: str, least: tuple[str, int] = ("", 0)) -> None:
        """Wait until everything that is going to be asked for within two intervals has been.

        Of a password so many tries are to come at `least`: the machine may be busy.
        """
        eventually(lambda: self.tries(least[0]) >= least[1])
        eventually(lambda: "listening" in (self._directory / f"{tag}.log").read_text())
        time.sleep(2.2)


pytestmark = pytest.mark.process


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(stack.enter_context(Provider(History())), tmp_path, stack)


def acme(password: str, auth_attempts: int = ATTEMPTS) -> Account:
    """The account of most stories."""
    return Account("acme", USERNAME, password, auth_attempts)


def each(names: list[str], password: str) -> list[Account]:
    """One account for each way to be answered."""
    return [Account(f"a{n}", f"ws{n}@acme.example", password, ATTEMPTS) for n in range(len(names))]


@pytest.mark.parametrize("first", [(), ("503", "503")], ids=["refused", "put off first"])
def test_a_check_between_two_wrong_passwords_gives_no_further_try(
    scene: Scene, first: tuple[str, ...]
) -> None:
    """Somebody corrects the file, checks, and reloads; it was wrong again. Nothing is killed."""
    site = scene.set(acme("one"))
    scene.provider.answer(USERNAME, *first)
    run = site.start()
    eventually(lambda: scene.tries("one") == (len(first) or ATTEMPTS))
    time.sleep(1.2)
    scene.configure("two")
    site.await_end(site.check("acme"))
    time.sleep(6.5 if first else 0.0)
    for least in (("two", ATTEMPTS), ("one", len(first) + ATTEMPTS)):
        scene.configure(least[0])
        site.reload()
        scene.await_rest(run.tag, least)
    assert scene.tries("two") == ATTEMPTS
    assert scene.tries("one") == len(first) + ATTEMPTS
    assert scene.broken() == []


def test_two_wrong_passwords_in_turn_with_a_stop_between_have_their_tries_once(scene: Scene) -> None:
    """Ten rounds; the stops come before an answer or after it. What was not heard is open for both."""
    site = scene.set(acme("one"))
    for number in range(10):
        scene.configure("two" if number % 2 else "one")
        run = site.start()
        with scene.provider.holding(USERNAME) if number % 4 < 2 else nullcontext():
            scene.await_login(1.3)
            site.stop(run)
    assert 1 <= max(scene.tries("one"), scene.tries("two")) <= ATTEMPTS
    assert scene.broken() == []


def test_a_refusal_that_comes_while_the_process_is_frozen_counts(scene: Scene) -> None:
    """Three times, each longer than the account's timeout."""
    site = scene.set(acme("one"))
    run = site.start()
    for _ in range(3):
        with scene.provider.holding(USERNAME):
            came = scene.await_login(3.0)
            if came:
                site.freeze(run)
        if came:
            time.sleep(1.5)
            site.thaw(run)
    scene.await_rest(run.tag)
    assert 1 <= scene.tries("one") <= ATTEMPTS
    assert scene.broken() == []


def test_a_refusal_is_counted_in_whatever_form_it_comes(scene: Scene) -> None:
    """Each form has its account; where it can be read for certain the account is shown as suspended."""
    names = list(REFUSALS)
    site = scene.set(*each(names, "wrong"))
    for account, name in zip(site.accounts, names, strict=True):
        scene.provider.always(account.username, name)
    run = site.start()
    eventually(lambda: all(scene.provider.count(one.username) >= ATTEMPTS for one in site.accounts))
    scene.await_rest(run.tag)
    tries = {
        name: scene.provider.count(account.username)
        for account, name in zip(site.accounts, names, strict=True)
    }
    assert {name: count for name, count in tries.items() if count != ATTEMPTS} == {}
    certain = {
        f'cfdi_account_suspended{{account="{account.name}"}}'
        for account, name in zip(site.accounts, names, strict=True)
        if REFUSALS[name].says is Says.REFUSED
    }
    eventually(lambda: {name for name, value in site.metrics().items() if value == 1} >= certain)
    assert scene.broken() == []


def test_what_cannot_be_read_is_tried_no_more_often_than_a_refusal(scene: Scene) -> None:
    """For 15 intervals. A stop is tried once; where the provider is in trouble it goes on."""
    names = list(TROUBLE)
    site = scene.set(*each(names, "wrong"))
    for account, name in zip(site.accounts, names, strict=True):
        scene.provider.always(account.username, name)
    site.start()
    time.sleep(15.0)

    def counted() -> dict[str, int]:
        pairs = zip(site.accounts, names, strict=True)
        return {name: scene.provider.count(account.username) for account, name in pairs}

    least = {name: {Says.STOP: 1, Says.NEUTRAL: 2}.get(answer.says, 0) for name, answer in TROUBLE.items()}
    eventually(lambda: all(count >= least[name] for name, count in counted().items()))
    tries = counted()
    unknown = {name for name, answer in TROUBLE.items() if answer.says in (Says.SERVICE, Says.UNKNOWN)}
    assert {name: tries[name] for name in unknown if tries[name] > ATTEMPTS} == {}
    assert {
        name: tries[name] for name, answer in TROUBLE.items() if answer.says is Says.STOP and tries[name] != 1
    } == {}
    assert scene.broken() == []


def test_a_proven_password_that_turns_wrong_has_no_further_tries_by_kills(scene: Scene) -> None:
    """Killed in the middle of each poll."""
    site = scene.set(acme("right"))
    site.start()
    assert scene.await_login()
    assert scene.await_login()
    accepted = _turned_wrong(scene, "right")
    for _ in range(5):
        with scene.provider.holding(USERNAME):
            scene.await_login(2.5)
            if run := site.daemon:
                site.kill(run)
        site.start()
    scene.await_rest(_running(site).tag)
    assert scene.tries("right") - accepted <= ATTEMPTS
    assert scene.broken() == []


def test_a_proven_password_that_turns_wrong_is_unproven_soon(scene: Scene) -> None:
    """Also where the refusals can't be read."""
    names = [
        "601",
        "601 under HTTP 403",
        *(name for name, one in TROUBLE.items() if one.says is Says.SERVICE),
    ]
    site = scene.set(*each(names, "right"))
    run = site.start()
    for account in site.accounts:
        eventually(partial(scene.provider.count, account.username))
    time.sleep(0.5)
    accepted = {}
    for account, name in zip(site.accounts, names, strict=True):
        scene.provider.set_password(account.username, "another")
        scene.provider.always(account.username, name)
        accepted[name] = sum(login.says is Says.ACCEPTED for login in scene.logins(account))
    wanted = {
        account.username: accepted[name] + ATTEMPTS
        for account, name in zip(site.accounts, names, strict=True)
    }
    eventually(lambda: all(scene.provider.count(one) >= count for one, count in wanted.items()))
    scene.await_rest(run.tag)
    tries = {
        name: len(scene.logins(account)) - accepted[name]
        for account, name in zip(site.accounts, names, strict=True)
    }
    assert {name: count for name, count in tries.items() if count != ATTEMPTS} == {}
    assert scene.broken() == []


def test_a_lost_poll_of_a_proven_password_leaves_an_open_try(scene: Scene) -> None:
    """Killed in the middle of a poll, started with another password: one try less."""
    site = scene.set(acme("right"))
    run = site.start()
    assert scene.await_login()
    assert scene.await_login()
    _turned_wrong(scene, "right")
    with scene.provider.holding(USERNAME):
        assert scene.await_login()
        site.kill(run)
    scene.configure("one")
    scene.await_rest(site.start().tag, ("one", ATTEMPTS - 1))
    assert scene.tries("one") == ATTEMPTS - 1
    assert scene.broken() == []


def test_at_once(scene: Scene) -> None:
    """Six checks at the same moment, beside the daemon and a second one, which gives up."""
    site = scene.set(acme("one"))
    run = site.start()
    checks = [site.check("acme") for _ in range(6)]
    assert site.start_second() == 1
    for check in checks:
        assert site.await_end(check)
    scene.await_rest(run.tag)
    assert 1 <= scene.tries("one") <= ATTEMPTS
    assert scene.broken() == []


def test_killed_twenty_times_at_random_moments(scene: Scene) -> None:
    """From its first instruction to its tries; two wrong passwords."""
    dice = random.Random()  # noqa: S311 - for moments
    site = scene.set(acme("one"))
    for number in range(20):
        scene.configure("two" if number % 3 == 2 else "one")
        run = site.start(loaded=False)
        if dice.random() < 0.5:
            scene.await_login(2.0)
            time.sleep(dice.random() * 0.2)
        else:
            time.sleep(dice.random() * 1.5)
        site.kill(run)
    assert max(scene.tries("one"), scene.tries("two")) <= ATTEMPTS
    assert scene.broken() == []


def test_a_resumption_gives_one_try(scene: Scene) -> None:
    """And the next within the hour none, by whichever way."""
    site = scene.set(acme("one"))
    run = site.start()
    scene.await_rest(run.tag, ("one", ATTEMPTS))
    assert scene.tries("one") == ATTEMPTS
    assert site.resume("acme").status == 200
    scene.await_rest(run.tag, ("one", ATTEMPTS + 1))
    assert scene.tries("one") == ATTEMPTS + 1
    site.await_end(site.check("acme", resume=True))
    site.resume("acme")
    scene.await_rest(run.tag)
    assert scene.tries("one") == ATTEMPTS + 1
    assert scene.broken() == []


def test_random_schedules() -> None:
    """No login beyond the contract, always a way out, and a healthy neighbour that is always polled."""
    first = 0 if in_ci() else random.SystemRandom().randrange(10**6)
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(GROUPS, mp_context=context) as pool:
        reports = list(pool.map(attack, range(first, first + GROUPS)))
    broken = [str(report) for report in reports if report.breaks]
    assert not broken, "\n".join(broken)


def _turned_wrong(scene: Scene, password: str) -> int:
    """Let the right password turn wrong between two polls; return how many logins there have been with it."""
    scene.provider.set_password(USERNAME, "another")
    assert all(login.right for login in scene.provider.history.of(USERNAME))
    return scene.tries(password)


def _running(site: Site) -> Run:
    assert site.daemon
    return site.daemon
