"""The simulated provider beside a test: run in a thread, and changed from outside as a user would."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

from exporter.simulator import Simulator
from tests.support.peers.loop import LoopThread


@contextmanager
def running(simulator: Simulator) -> Iterator[None]:
    """Run a simulator in a thread."""
    with LoopThread("simulator") as loop:
        loop.run(simulator.start())
        try:
            yield
        finally:
            loop.run(simulator.stop())


def control(simulator: Simulator, username: str, **changes: object) -> None:
    """Change a simulated account from outside, as a user would."""
    port = int(simulator.wsdl_url.split(":")[2].partition("/")[0])
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(
        "POST",
        f"/simulator/accounts/{username}",
        json.dumps(changes),
        {"Content-Type": "application/json"},
    )
    assert connection.getresponse().status == 200
    connection.close()
