"""Debian's Prometheus scrapes through TLS, with basic auth and with a client certificate."""

from pathlib import Path
from typing import Any

import bcrypt
import pytest

from tests.support.configs import config
from tests.support.peers import Daemon, DaemonFactory, Prometheus, PrometheusFactory, eventually
from tests.support.peers.tls import Authority

CONFIG = config("http://127.0.0.1:9/nobody?wsdl", "acme", interval="1h")
TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


def serving(daemon: DaemonFactory, directory: Path, web_config: str) -> Daemon:
    """A daemon with this web configuration."""
    path = directory / "web.yml"
    path.write_text(web_config)
    return daemon(CONFIG, f"--web.config.file={path}")


def scraped(server: Prometheus) -> dict[str, Any]:
    """The one target, once it has been scraped."""
    (target,) = eventually(
        lambda: [one for one in server.targets() if one["health"] != "unknown"], timeout=30
    )
    return target


@pytest.mark.peer("prometheus")
def test_tls_with_basic_auth(daemon: DaemonFactory, prometheus: PrometheusFactory, tmp_path: Path) -> None:
    """With the right password it scrapes; with a wrong one the target is down, with a 401."""
    authority = Authority(tmp_path)
    authority.issue("server")
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(6)).decode()
    exporter = serving(daemon, tmp_path, f"{TLS}basic_auth_users: {{prometheus: '{hashed}'}}\n")

    def scraping_with(password: str) -> Prometheus:
        return prometheus(
            [exporter.address],
            scrape_options={
                "scheme": "https",
                "tls_config": {"ca_file": str(authority.ca_file)},
                "basic_auth": {"username": "prometheus", "password": password},
            },
        )

    good, bad = scraping_with("right"), scraping_with("wrong")
    unauthorized = "server returned HTTP status 401 Unauthorized"
    eventually(lambda: scraped(bad)["lastError"] == unauthorized, timeout=30)
    # Through several scrapes beside one that is refused each time.
    eventually(lambda: good.query("sum_over_time(up[1m]) >= 3"), timeout=30)
    assert bad.query("max_over_time(up[1m])")[0]["value"][1] == "0"
    assert good.query('cfdi_account_info{account="acme"}')


@pytest.mark.peer("prometheus")
def test_a_client_certificate(daemon: DaemonFactory, prometheus: PrometheusFactory, tmp_path: Path) -> None:
    """Who shows the right one scrapes; who shows none, or a stranger's, doesn't get as far as HTTP."""
    authority, strangers = Authority(tmp_path), Authority(tmp_path, "strangers")
    authority.issue("server")
    shown = {"right": authority.issue("prometheus"), "none": None, "strange": strangers.issue("strange")}
    exporter = serving(
        daemon,
        tmp_path,
        f"{TLS}  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n",
    )
    servers = {}
    for name, identity in shown.items():
        tls_config = {"ca_file": str(authority.ca_file)}
        if identity:
            tls_config |= {"cert_file": str(identity.cert_file), "key_file": str(identity.key_file)}
        options = {"scheme": "https", "tls_config": tls_config}
        servers[name] = prometheus([exporter.address], scrape_options=options)
    eventually(lambda: scraped(servers["right"])["health"] == "up", timeout=30)
    for name in ("none", "strange"):
        assert scraped(servers[name])["health"] == "down"
        assert servers[name].query("up == 1") == []
    assert servers["right"].query('cfdi_account_info{account="acme"}')
    assert exporter.stop() == 0
    assert "level=error" not in exporter.log
