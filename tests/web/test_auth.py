"""Basic auth: who passes, what a check costs, and that guesses can't burn the CPU."""

import asyncio
import threading
from base64 import b64encode
from collections.abc import Callable

import bcrypt
import pytest

from exporter.web.auth import CACHED, WAITING, Admission, BasicAuth

ALLOWED, REFUSED, BUSY = Admission.ALLOWED, Admission.REFUSED, Admission.BUSY


def hashed(password: str, cost: int = 4) -> bytes:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost))


def header(user: str, password: str | bytes) -> str:
    secret = password.encode() if isinstance(password, str) else password
    return "Basic " + b64encode(user.encode() + b":" + secret).decode()


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The passwords that bcrypt was asked about, and in fact was."""
    asked: list[bytes] = []
    check = bcrypt.checkpw

    def counted(password: bytes, against: bytes) -> bool:
        asked.append(password)
        return check(password, against)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return asked


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until a condition holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - threads, too, change what is waited for
            await asyncio.sleep(0.01)


class Gate:
    """Stands in for bcrypt where a test says how long a check takes: until `open` is set."""

    def __init__(self, verdict: Callable[[bytes], bool]) -> None:
        self.open = threading.Event()
        self.entered = 0
        self.inside = 0
        self.most = 0
        self._verdict = verdict

    def checkpw(self, password: bytes, _against: bytes) -> bool:
        self.entered += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        assert self.open.wait(30)
        self.inside -= 1
        return self._verdict(password)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate(lambda password: password == b"right")
    monkeypatch.setattr(bcrypt, "checkpw", gate.checkpw)
    return gate


async def test_without_users_everyone_passes() -> None:
    assert await BasicAuth({}).judge(None) is ALLOWED
    assert await BasicAuth({}).judge("junk") is ALLOWED


async def test_a_user_with_the_password_passes_and_no_other() -> None:
    basic = BasicAuth({"alice": hashed("right"), "bob": hashed("other")})
    assert await basic.judge(header("alice", "right")) is ALLOWED
    assert await basic.judge(header("bob", "other")) is ALLOWED
    for user, password in (
        ("alice", "wrong"),
        ("alice", ""),
        ("alice", "other"),
        ("Alice", "right"),
        ("", ""),
    ):
        assert await basic.judge(header(user, password)) is REFUSED


@pytest.mark.parametrize("prefix", [b"$2a", b"$2b", b"$2y"])
async def test_each_kind_of_bcrypt_is_understood(prefix: bytes) -> None:
    """htpasswd writes $2y, others $2a or $2b."""
    basic = BasicAuth({"alice": prefix + hashed("right")[3:]})
    assert await basic.judge(header("alice", "right")) is ALLOWED
    assert await basic.judge(header("alice", "wrong")) is REFUSED


JUNK = [
    None,
    "",
    "Basic",
    "Basic ",
    "Basic ====",
    "Basic !!!!",
    "Basic ñ",
    "Basic \udcff\udcfe",
    "Basic " + b64encode(b"alice").decode(),
    "Basic " + b64encode(b"\xff\xfe:right").decode(),
    "Basic " + b64encode(b"alice:right").decode()[:-3],
    "Basic " + "A" * 8000,
    "Bearer " + b64encode(b"alice:right").decode(),
    "Basic" + b64encode(b"alice:right").decode(),
    "Digest username=alice",
    "alice:right",
    "\0",
]


@pytest.mark.parametrize("authorization", JUNK, ids=ascii)
async def test_junk_is_refused_without_a_check(checks: list[bytes], authorization: str | None) -> None:
    basic = BasicAuth({"alice": hashed("right")})
    assert await basic.judge(authorization) is REFUSED
    assert checks == []


async def test_the_scheme_may_be_written_in_any_case() -> None:
    """RFC 7617: the scheme is compared without case."""
    basic = BasicAuth({"alice": hashed("right")})
    for scheme in ("basic", "BASIC"):
        assert await basic.judge(header("alice", "right").replace("Basic", scheme)) is ALLOWED


@pytest.mark.parametrize(
    ("password", "passes"),
    [
        ("pässwörd ñ €", True),
        ("with:colons:", True),
        ("p" * 72, True),
        ("p" * 73 + "bcrypt looks no further", True),
        ("p" * 71, False),
        (b"p" * 72 + b"\xff\0", True),
        (b"right\0", False),
        (b"\0", False),
        (b"\xff\xfe", False),
        (b"", False),
    ],
)
async def test_unusual_passwords(password: str | bytes, passes: bool) -> None:
    """Long, non-ASCII and binary ones are answered; of long ones the first 72 bytes count, as elsewhere."""
    basic = BasicAuth({"a": hashed("pässwörd ñ €"), "b": hashed("with:colons:"), "c": hashed("p" * 72)})
    verdicts = {await basic.judge(header(user, password)) for user in basic.users}
    assert (ALLOWED in verdicts) is passes


async def test_what_was_right_or_wrong_once_is_not_checked_again(checks: list[bytes]) -> None:
    """A client sends the same credential at each scrape."""
    basic = BasicAuth({"alice": hashed("right")})
    for _ in range(5):
        assert await basic.judge(header("alice", "right")) is ALLOWED
        assert await basic.judge(header("alice", "wrong")) is REFUSED
        assert await basic.judge(header("nobody", "right")) is REFUSED
    assert checks == [b"right", b"wrong", b"right"]


async def test_a_verdict_goes_with_the_hash_and_the_user(checks: list[bytes]) -> None:
    """Users are replaced while serving: what is cached lets no old password and no removed user pass."""
    basic = BasicAuth({"alice": hashed("old"), "bob": hashed("bobs")})
    assert await basic.judge(header("alice", "old")) is ALLOWED
    assert await basic.judge(header("alice", "new")) is REFUSED
    assert await basic.judge(header("bob", "bobs")) is ALLOWED
    basic.users = {"alice": hashed("new")}
    assert await basic.judge(header("alice", "old")) is REFUSED
    assert await basic.judge(header("alice", "new")) is ALLOWED
    assert await basic.judge(header("bob", "bobs")) is REFUSED
    basic.users = {"alice": hashed("new")}  # the same password, another salt
    assert await basic.judge(header("alice", "new")) is ALLOWED
    assert len(checks) == 7


async def test_a_user_removed_during_the_check_does_not_pass(gate: Gate) -> None:
    basic = BasicAuth({"alice": b"old hash"})
    judging = asyncio.create_task(basic.judge(header("alice", "right")))
    await until(lambda: gate.entered == 1)
    basic.users = {"alice": b"new hash"}
    gate.open.set()
    assert await judging is REFUSED


async def test_an_unknown_user_never_passes_even_with_somebodys_password() -> None:
    """What is checked in the place of the missing hash must not count, at no repetition."""
    basic = BasicAuth({"alice": hashed("right"), "bob": hashed("bobs")})
    for _ in range(3):
        assert await basic.judge(header("mallory", "right")) is REFUSED
        assert await basic.judge(header("mallory", "bobs")) is REFUSED
        assert await basic.judge(header("", "right")) is REFUSED


@pytest.mark.parametrize("cost", [4, 10])
async def test_an_unknown_user_costs_what_a_known_one_does(
    monkeypatch: pytest.MonkeyPatch, cost: int
) -> None:
    """The time must not tell who exists: the same work is done, whatever the cost of the hashes is."""
    against: list[bytes] = []

    def noted(_password: bytes, checked: bytes) -> bool:
        against.append(checked)
        return False

    monkeypatch.setattr(bcrypt, "checkpw", noted)
    known = hashed("right", cost)
    basic = BasicAuth({"alice": known})
    await basic.judge(header("alice", "wrong"))
    await basic.judge(header("nobody", "wrong"))
    assert [checked[:7] for checked in against] == [known[:7]] * 2


async def test_a_check_does_not_hold_up_the_loop(gate: Gate) -> None:
    """While bcrypt works, other requests are answered: this test itself would stand still otherwise."""
    basic = BasicAuth({"alice": b"hash"})
    judging = asyncio.create_task(basic.judge(header("alice", "right")))
    await until(lambda: gate.entered == 1)
    assert await basic.judge(None) is REFUSED
    assert not judging.done()
    gate.open.set()
    assert await judging is ALLOWED


async def test_guesses_take_one_core_at_most_and_those_beyond_the_queue_are_told_at_once(gate: Gate) -> None:
    """A flood of wrong passwords: one check at a time, WAITING wait, the others are BUSY without waiting."""
    basic = BasicAuth({"alice": b"hash"})
    flood = [asyncio.create_task(basic.judge(header("alice", f"guess {n}"))) for n in range(WAITING + 50)]
    await until(lambda: sum(task.done() for task in flood) == 50)
    assert [task.result() for task in flood if task.done()] == [BUSY] * 50
    assert gate.entered == 1
    gate.open.set()
    verdicts = await asyncio.gather(*flood)
    assert verdicts.count(REFUSED) == WAITING
    assert gate.most == 1
    assert await basic.judge(header("alice", "right")) is ALLOWED  # the queue is free again


async def test_a_known_credential_passes_during_a_flood(gate: Gate) -> None:
    """Prometheus' scrapes go on while somebody guesses."""
    basic = BasicAuth({"alice": b"hash"})
    gate.open.set()
    assert await basic.judge(header("alice", "right")) is ALLOWED
    gate.open.clear()
    flood = [asyncio.create_task(basic.judge(header("alice", f"guess {n}"))) for n in range(100)]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(basic.judge(header("alice", "right")), 5) is ALLOWED
    gate.open.set()
    await asyncio.gather(*flood)


async def test_guesses_do_not_push_a_known_credential_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """More guesses than are remembered: the good client's credential isn't checked anew, so can't be BUSY."""
    gate = Gate(lambda password: password == b"right")
    gate.open.set()
    monkeypatch.setattr(bcrypt, "checkpw", gate.checkpw)
    basic = BasicAuth({"alice": b"hash"})
    assert await basic.judge(header("alice", "right")) is ALLOWED
    for number in range(CACHED + 10):
        assert await basic.judge(header("alice", f"guess {number}")) is REFUSED
    checks = gate.entered
    assert await basic.judge(header("alice", "right")) is ALLOWED
    assert gate.entered == checks


async def test_what_is_remembered_is_bounded_and_holds_no_password() -> None:
    """Wrong ones, and right ones too: a long password is right with any end."""
    basic = BasicAuth({"alice": hashed("p" * 72)})
    for number in range(CACHED + 20):
        assert await basic.judge(header("alice", f"guess {number}")) is REFUSED
        assert await basic.judge(header("alice", "p" * 72 + str(number))) is ALLOWED
    assert len(basic._right) == len(basic._wrong) == CACHED
    kept = b"".join([*basic._right, *basic._wrong])
    # Long enough that digests don't hold it by chance.
    assert b"p" * 8 not in kept
    assert b"guess" not in kept


async def test_the_same_credential_many_times_at_once_is_checked_once(checks: list[bytes]) -> None:
    basic = BasicAuth({"alice": hashed("right", cost=8)})
    assert set(await asyncio.gather(*(basic.judge(header("alice", "right")) for _ in range(WAITING)))) == {
        ALLOWED
    }
    assert checks == [b"right"]


async def test_a_request_that_is_given_up_leaves_its_place(gate: Gate) -> None:
    """A client that goes away must not shorten the queue for good."""
    basic = BasicAuth({"alice": b"hash"})
    for _ in range(3):
        flood = [asyncio.create_task(basic.judge(header("alice", f"guess {n}"))) for n in range(WAITING)]
        await asyncio.sleep(0.05)
        for task in flood:
            task.cancel()
        await asyncio.wait(flood)
        assert all(task.cancelled() for task in flood)
    gate.open.set()
    assert await asyncio.wait_for(basic.judge(header("alice", "right")), 20) is ALLOWED
