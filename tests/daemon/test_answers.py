"""Answers that contradict the one before: what a running daemon makes of them and shows meanwhile."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.configs import config
from tests.support.peers import Daemon, DaemonFactory, eventually
from tests.support.peers.hostile import Call, HostileProvider, Respond
from tests.support.peers.misbehaviour import answers

USED, CONSUMED = 'cfdi_stamps_used{account="acme"}', 'cfdi_stamps_consumed_total{account="acme"}'
AVAILABLE = 'cfdi_stamps_available{account="acme"}'


class Turns:
    """Answers one after the other, the last one again and again; 500 once ``most`` were given."""

    def __init__(self, *responds: Respond, most: int | None = None) -> None:
        self.given = 0
        self.most = most
        self._responds = responds

    async def __call__(self, call: Call) -> None:
        if self.given == self.most:
            await answers(status=500)(call)
            return
        respond = self._responds[min(self.given, len(self._responds) - 1)]
        self.given += 1
        await respond(call)

    @property
    def over(self) -> bool:
        """Whether the last one was given."""
        return self.given >= len(self._responds)


def balances(*used: int) -> list[Respond]:
    """Answers with these stamps used of 10,000."""
    return [answers(status=200, contratados=10_000, usados=one, disponibles=10_000 - one) for one in used]


@pytest.mark.parametrize(
    ("used", "total"),
    [
        ((5000, 5010, 0, 5020), 20),
        ((5000, 4998) * 3 + (5000,), 0),
        ((5000, 4990, 4990, 5000), 0),
        ((5000, 3, 7, 12), 9),
    ],
)
def test_only_what_was_used_is_counted(daemon: DaemonFactory, used: Sequence[int], total: int) -> None:
    """One wrong answer, replicas of the provider that differ, and a contract that starts anew."""
    turns = Turns(*balances(*used))
    with HostileProvider({"acme": turns}) as provider:
        exporter = daemon(config(provider.wsdl(), "acme"))
        eventually(lambda: turns.over and exporter.metrics().get(USED) == used[-1])
        assert exporter.metrics()[CONSUMED] == total


def has(available: int, code: int = 200) -> Respond:
    """An answer with these stamps available of 10,000."""
    return answers(status=code, contratados=10_000, usados=10_000 - available, disponibles=available)


@pytest.mark.parametrize(
    ("responds", "shown"),
    [
        ([has(5000), has(0), has(4990)], {5000, 4990}),
        ([has(5000), has(0), answers(status=500), has(4990)], {5000, 4990}),
        ([has(5000), has(0), has(0)], {5000, 0}),
        ([has(5000), has(0, 630), has(4990)], {5000, 0, 4990}),
    ],
)
def test_a_sudden_0_is_shown_once_it_is_confirmed(
    daemon: DaemonFactory, responds: Sequence[Respond], shown: set[int]
) -> None:
    """Nobody is woken by one wrong answer; 630 is the provider's word."""
    turns = Turns(*responds)
    seen = set()
    with HostileProvider({"acme": turns}) as provider:
        exporter = daemon(config(provider.wsdl(), "acme"))

        def look() -> bool:
            metrics = exporter.metrics()
            if AVAILABLE in metrics:
                seen.add(metrics[AVAILABLE])
            return turns.over and len(seen) == len(shown)

        eventually(look)
        assert seen == shown


@pytest.mark.process
@pytest.mark.parametrize(("used", "total"), [((5010, 0, 5020), 10), ((5010, 3, 7, 12), 9)])
def test_a_restart_between_a_fall_and_its_confirmation(
    tmp_path: Path, used: Sequence[int], total: int
) -> None:
    """It is kept with the counter, whatever moment the daemon is killed at."""
    turns = Turns(*balances(*used), most=2)
    with HostileProvider({"acme": turns}) as provider:
        exporter = Daemon(config(provider.wsdl(), "acme"), tmp_path)
        with exporter:
            eventually(lambda: exporter.metrics().get(USED) == used[1])
            exporter.kill()
            turns.most = None
            exporter.start()
            eventually(lambda: turns.over and exporter.metrics().get(USED) == used[-1])
            assert exporter.metrics()[CONSUMED] == total
