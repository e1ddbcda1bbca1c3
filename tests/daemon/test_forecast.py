"""The forecast of a running daemon: from days that are stored to the series, the page and `check`."""

import asyncio
import re
import subprocess
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from exporter.account.use import Ended
from exporter.config.model import login_key
from exporter.daemon.state_file import open_storage
from exporter.simulator import Simulator
from exporter.storage import days
from tests.support.configs import config
from tests.support.peers import DaemonFactory
from tests.support.peers.daemon import EXPORTER
from tests.support.series import shown_when
from tests.support.simulation import control, running

USER = "healthy@demo.example"
DEPLETION, USUAL, HISTORY = (
    f'cfdi_stamps_{name}{{account="healthy"}}'
    for name in ("depletion_timestamp_seconds", "usual_day", "history_days")
)
ENDS, BUSINESS = "cfdi_calendar_next_business_day_end_timestamp_seconds", "cfdi_calendar_business_day"


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(speed=0.001)


def store(path: Path, simulator: Simulator, stamps: int, number: int) -> None:
    """Let the storage have the same use of each of the days before today."""

    async def add() -> None:
        storage = open_storage(path, exclusive=False, now=time.time())
        today = datetime.now(ZoneInfo("America/Mexico_City")).date().toordinal()
        ended = [Ended(today - back, stamps, b"") for back in range(1, number + 1)]
        host = simulator.wsdl_url.split("/")[2]
        key = login_key(host, USER)
        await storage.transact(lambda db: days.add(db, key, ended, time.time()))
        await storage.close()

    asyncio.run(add())


def test_days_that_are_stored(daemon: DaemonFactory, simulator: Simulator, tmp_path: Path) -> None:
    """They tell when the balance runs out; after a kill that is shown at once."""
    path = tmp_path / "kept.db"
    with running(simulator):
        store(path, simulator, 100, 90)
        control(simulator, USER, available=1050)
        exporter = daemon(config(simulator.wsdl_url, USER), f"--storage.path={path}")
        shown = shown_when(exporter, lambda shown: DEPLETION in shown and BUSINESS in shown)
        assert 9 < (shown[DEPLETION] - time.time()) / 86_400 < 11.5
        assert (shown[USUAL], shown[HISTORY]) == (100, 90)
        assert shown[ENDS] > time.time() + 18 * 3600 - 60
        assert shown[BUSINESS] in (0, 1)
        until = datetime.fromtimestamp(shown[DEPLETION], ZoneInfo("America/Mexico_City"))
        words = f"until {until:%A} {until.day} {until:%B}, about 100 a day"
        page = " ".join(re.sub("<[^>]*>", " ", exporter.get("/").text).split())
        assert words.replace(",", "") in page.replace(" ,", "").replace(",", "")
        assert "hasta el " in exporter.get("/?lang=es").text
        asked = [
            *EXPORTER,
            "check",
            "healthy",
            f"--config.file={exporter.config_file}",
            f"--storage.path={path}",
        ]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        assert f"\n  U{words[1:]}.\n" in told
        exporter.kill()
        exporter.start()
        again = shown_when(exporter, lambda shown: 'cfdi_account_up{account="healthy"}' in shown)
        assert again[DEPLETION] == pytest.approx(shown[DEPLETION], abs=300)
        assert (again[USUAL], again[HISTORY]) == (100, 90)


def test_a_new_account_and_another_calendar(daemon: DaemonFactory, simulator: Simulator) -> None:
    """There is no forecast yet. A reload brings another calendar, and a wrong one changes nothing."""
    with running(simulator):
        exporter = daemon(config(simulator.wsdl_url, USER), "--web.enable-lifecycle")
        shown = shown_when(exporter, lambda shown: HISTORY in shown and BUSINESS in shown)
        assert shown[HISTORY] == 0
        assert DEPLETION not in shown
        assert USUAL not in shown
        text = config(simulator.wsdl_url, USER)
        exporter.config_file.write_text(f"{text}calendar: {{timezone: Asia/Tokyo, country: JP}}\n")
        assert exporter.post("/-/reload").status == 200
        shown_when(exporter, lambda now: now[ENDS] != shown[ENDS])
        exporter.config_file.write_text(f"{text}calendar: {{timezone: Asia/Tokio}}\n")
        answer = exporter.post("/-/reload")
        assert answer.status == 400
        assert "no timezone is called Asia/Tokio, did you mean Asia/Tokyo?" in answer.text
        assert "timezone: Asia/Tokyo" in exporter.get("/config").text


def test_stamps_that_are_gone(daemon: DaemonFactory, simulator: Simulator) -> None:
    """The time is that at which it was first seen, over a kill."""
    with running(simulator):
        control(simulator, USER, available=0)
        exporter = daemon(config(simulator.wsdl_url, USER))
        seen = shown_when(exporter, lambda shown: DEPLETION in shown)[DEPLETION]
        assert seen == pytest.approx(time.time(), abs=15)
        exporter.kill()
        exporter.start()
        polled = 'cfdi_account_last_poll_timestamp_seconds{account="healthy"}'
        shown = shown_when(exporter, lambda shown: shown.get(polled, 0) > seen + 3)
        assert shown[DEPLETION] == seen
