"""`POST /-/reload` and `POST /-/resume`: who may, what is answered, and that no other site can cause one."""

import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from yarl import URL

from exporter.exposition.exposition import Exposition
from exporter.guard.gate import ResumeTooSoonError
from exporter.metrics import ExporterMetrics
from exporter.simulator import Simulator
from exporter.storage.engine import StorageError
from exporter.web.application import Endpoints, application
from exporter.web.auth import BasicAuth
from exporter.web.delivery import Deliveries
from exporter.web.protection import Protection
from tests.support.configs import config
from tests.support.peers import DaemonFactory, happened
from tests.support.series import shown_when
from tests.support.simulation import running


async def no_config() -> bytes:
    """Stands in for the configuration."""
    return b""


async def no_overview(_query: object, _languages: object) -> str:
    """Stands in for the page for people."""
    return ""


class Site:
    """The pages on a real server, and what a test lets a reload and a resumption come to."""

    def __init__(self) -> None:
        self.errors: tuple[str, ...] = ()
        self.suspended = {"acme", "ñandú & co", "", "ws+a@x"}
        self.accounts = {*self.suspended, "globex", "two words", "two+words"}
        self.fails: Exception | None = None
        self.done: list[str] = []
        endpoints = Endpoints(
            exposition=Exposition(ExporterMetrics("test"), time),
            ready=lambda: True,
            shown=happened(),
            config=no_config,
            overview=no_overview,
            telemetry_path="/metrics",
            reload=self._reload,
            resume=self._resume,
        )
        self.server = TestServer(application(endpoints, Protection(BasicAuth({}), {}), Deliveries()))

    async def _reload(self) -> tuple[str, ...]:
        self.done.append("reload")
        return self.errors

    async def _resume(self, name: str) -> bool | None:
        self.done.append(name)
        if self.fails:
            raise self.fails
        return (name in self.suspended) if name in self.accounts else None

    async def post(
        self, path: str, headers: dict[str, str] | None = None
    ) -> tuple[aiohttp.ClientResponse, str]:
        return await self.ask("POST", path, headers)

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None
    ) -> tuple[aiohttp.ClientResponse, str]:
        url = URL(f"http://127.0.0.1:{self.server.port}{path}", encoded=True)  # as it is written
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, url, headers=headers) as response,
        ):
            return response, await response.text()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    async with site.server:
        yield site


async def test_a_reload_is_done_and_told(site: Site) -> None:
    response, text = await site.post("/-/reload")
    assert (response.status, text, site.done) == (200, "reloaded\n", ["reload"])


async def test_a_refused_reload_says_all_that_is_wrong(site: Site) -> None:
    """400 with each error on a line of its own."""
    site.errors = ("config.yaml:1: accounts[0].name: must not be empty", "config.yaml:2: x: unknown key")
    response, text = await site.post("/-/reload")
    assert (response.status, text) == (400, "\n".join(site.errors) + "\n")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("query", "name"), [("acme", "acme"), ("%C3%B1and%C3%BA%20%26%20co", "ñandú & co"), ("", "")]
)
async def test_a_suspension_is_lifted_by_name(site: Site, query: str, name: str) -> None:
    """Any name that the configuration allows, encoded as in any address."""
    response, text = await site.post(f"/-/resume?account={query}")
    assert (response.status, text, site.done) == (200, "resumed: one new try\n", [name])


@pytest.mark.parametrize("query", ["ws+a@x", "ws%2Ba@x", "ws%2Ba%40x", "ws+a%40x"])
async def test_a_plus_may_be_written_as_it_is(site: Site, query: str) -> None:
    """In an address it is a blank: so curl sends it, and people mean what they wrote."""
    response, text = await site.post(f"/-/resume?account={query}")
    assert (response.status, text, site.done[-1]) == (200, "resumed: one new try\n", "ws+a@x")


async def test_a_plus_that_is_a_blank_stays_one_where_an_account_is_called_so(site: Site) -> None:
    """Nobody else is resumed in its place."""
    site.suspended.add("two+words")
    response, _ = await site.post("/-/resume?account=two+words")
    assert (response.status, site.done) == (404, ["two words"])


async def test_who_is_not_suspended_can_not_be_resumed(site: Site) -> None:
    response, text = await site.post("/-/resume?account=globex")
    assert (response.status, text) == (404, "no such account is suspended\n")


@pytest.mark.parametrize("query", ["", "?", "?name=acme", "?account=acme&account=globex", "?Account=acme"])
async def test_a_resumption_needs_one_account(site: Site, query: str) -> None:
    response, text = await site.post(f"/-/resume{query}")
    assert (response.status, text) == (400, "say which account: POST /-/resume?account=NAME\n")
    assert site.done == []


@pytest.mark.parametrize(("ahead", "least", "most"), [(600.0, 590, 600), (0.1, 1, 1), (-5.0, 1, 1)])
async def test_a_second_resumption_within_the_hour_is_429_with_the_time_to_wait(
    site: Site, ahead: float, least: int, most: int
) -> None:
    site.fails = ResumeTooSoonError(time.time() + ahead)
    response, text = await site.post("/-/resume?account=acme")
    assert response.status == 429
    assert text.endswith(": try again later\n")
    assert least <= int(response.headers["Retry-After"]) <= most


async def test_a_resumption_that_can_not_be_kept_is_503(site: Site) -> None:
    site.fails = StorageError("writing failed: database or disk is full")
    response, text = await site.post("/-/resume?account=acme")
    assert (response.status, text) == (503, "not resumed: writing failed: database or disk is full\n")


@pytest.mark.parametrize("path", ["/-/reload", "/-/resume?account=acme"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_only_a_post_does_anything(site: Site, method: str, path: str) -> None:
    """A link, an image or a prefetch must not reload anything or lift a suspension."""
    response, _ = await site.ask(method, path)
    assert (response.status, response.headers["Allow"]) == (405, "POST")
    assert site.done == []


FROM_ELSEWHERE = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost:HOST"},
    {"Origin": "http://HOST.evil.example"},
    {"Origin": "http://evil.example/HOST"},
    {"Origin": "http://user@HOST"},
    {"Origin": "HOST"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://["},
    {"Origin": "http://HOST", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "a new word"},
    {"Sec-Fetch-Site": ""},
]
FROM_HERE = [
    {},
    {"Origin": "http://HOST"},
    {"Origin": "https://HOST"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://HOST", "Sec-Fetch-Site": "same-origin"},
]


def named(headers: dict[str, str], site: Site) -> dict[str, str]:
    return {key: value.replace("HOST", f"127.0.0.1:{site.server.port}") for key, value in headers.items()}


@pytest.mark.parametrize("path", ["/-/reload", "/-/resume?account=acme"])
@pytest.mark.parametrize("headers", FROM_ELSEWHERE, ids=str)
async def test_a_request_from_another_site_is_refused(site: Site, headers: dict[str, str], path: str) -> None:
    """A page that a person has open elsewhere can send a POST, but not without saying where it comes from."""
    response, text = await site.post(path, named(headers, site))
    assert (response.status, text) == (403, "refused: the request comes from another site\n")
    assert site.done == []


@pytest.mark.parametrize("headers", FROM_HERE, ids=str)
async def test_a_program_or_a_page_of_ours_may(site: Site, headers: dict[str, str]) -> None:
    """curl sends neither header."""
    response, _ = await site.post("/-/reload", named(headers, site))
    assert response.status == 200


def test_without_the_flag_nothing_is_done(daemon: DaemonFactory) -> None:
    """403 in any case, before anything else is looked at."""
    exporter = daemon(config("http://127.0.0.1:9/none?wsdl", "acme", interval="1h"))
    exporter.config_file.write_text("not: a configuration\n")
    for path in ("/-/reload", "/-/resume?account=acme", "/-/resume"):
        response = exporter.post(path)
        assert (response.status, response.text) == (
            403,
            "the lifecycle API is not enabled: start with --web.enable-lifecycle\n",
        )
    assert exporter.metrics()["cfdi_exporter_config_last_reload_successful"] == 1


def test_a_suspended_account_has_one_new_try_an_hour(daemon: DaemonFactory) -> None:
    """The whole story against a provider: suspended by 605, resumed, suspended again, 429."""
    simulator = Simulator()
    account = simulator.accounts["code-605@demo.example"]
    suspended = 'cfdi_account_suspended{account="code-605"}'
    with running(simulator):
        exporter = daemon(
            config(simulator.wsdl_url, "code-605@demo.example", "healthy@demo.example"),
            "--web.enable-lifecycle",
        )
        shown_when(exporter, lambda shown: shown.get(suspended) == 1)
        assert account.calls == 1
        for name in ("healthy", "nobody", "code-605@demo.example"):
            assert exporter.post(f"/-/resume?account={name}").status == 404
        assert exporter.post("/-/resume?account=code-605").status == 200
        answered = 'cfdi_provider_responses_total{code="605",pac_environment="peer"}'
        shown_when(exporter, lambda shown: (shown[answered], shown[suspended]) == (2, 1))
        again = exporter.post("/-/resume?account=code-605")
        assert again.status == 429
        assert 3500 <= int(again.headers["Retry-After"]) <= 3600
        assert account.calls == 2
    assert exporter.log.count('msg="account resumed" account=code-605') == 1
