"""The environments' providers over reloads: kept where nothing has changed, and always with fresh trust."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from exporter.account.outcome import Reason
from exporter.config import ConfigError, Environment, TlsConfig
from exporter.provider.pool import Providers
from exporter.provider.solucion_factible.provider import SolucionFactible
from tests.support.peers import FakeClock
from tests.support.peers.hostile import wsdl
from tests.support.peers.raw import answering, http, server_tls, serving


@pytest.fixture
async def providers(clock: FakeClock) -> AsyncIterator[Providers]:
    providers = Providers(lambda environment: SolucionFactible(environment, clock, lambda *_, **__: None))
    yield providers
    await providers.close()


async def reason(providers: Providers, clock: FakeClock) -> Reason | None:
    clock.advance(60.0)
    failure = await providers["test"].ready(10.0)
    return failure.reason if failure else None


@pytest.mark.parametrize("named", [True, False], ids=["ca_file", "the system's"])
@pytest.mark.process
async def test_every_reload_reads_anew_what_is_trusted(
    named: bool,
    providers: Providers,
    clock: FakeClock,
    authority: trustme.CA,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An authority that was added to the system's store counts without a restart."""
    trustme.CA().cert_pem.write_to_path(ca_file)
    if not named:
        monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    document = http("200 OK", wsdl("http://internal.example"))
    async with serving(answering(document), server_tls(authority, "localhost")) as server:
        environment = server.environment("localhost", "https")
        environment = replace(environment, tls=TlsConfig(ca_file if named else None))
        providers.use({"test": environment})
        before = providers["test"]
        assert await reason(providers, clock) is Reason.TLS
        authority.cert_pem.write_to_path(ca_file)
        assert await reason(providers, clock) is Reason.TLS, "until a reload"
        providers.use({"test": environment})
        assert await reason(providers, clock) is None
        providers.use({"test": environment})
        assert providers["test"] is before, "with the WSDL that it has"
        assert await before.ready(0.0) is None


async def test_a_reload_whose_files_are_gone_changes_nothing(providers: Providers, ca_file: Path) -> None:
    environment = Environment("test", "https://pac.example/ws?wsdl", False, 4, None, TlsConfig(ca_file))
    providers.use({"test": environment})
    before = providers["test"]
    ca_file.unlink()  # noqa: ASYNC240 - a moment
    with pytest.raises(ConfigError, match=r"^environments\.test\.tls_config: No such file or directory$"):
        providers.use({"test": environment, "other": replace(environment, name="other", tls=TlsConfig())})
    assert dict(providers) == {"test": before}
