"""The environments: built-in and configured ones, and the checks that take more than one of their keys."""

import ipaddress
from urllib.parse import urlsplit

from exporter.config.model import Environment, host_of
from exporter.config.schema import EnvironmentSection, TlsSection
from exporter.config.tls import checked_tls
from exporter.config.yaml.document import Where
from exporter.config.yaml.findings import Findings

BUILT_IN = {
    "production": "https://solucionfactible.com/ws/services/Utilerias?wsdl",
    "testing": "https://testing.solucionfactible.com/ws/services/Utilerias?wsdl",
}
"""WSDLs of the built-in environments, from the provider's documentation."""

PROVIDER_HOSTS = frozenset(host_of(wsdl) for wsdl in BUILT_IN.values())
DEFAULT_CONCURRENCY = 4


def configured_environments(where: Where, findings: Findings) -> dict[str, Environment | None]:
    """Return the built-in environments and those of the file; ``None`` for one that is broken."""
    configured = where.value()
    names = dict.fromkeys((*BUILT_IN, *(configured if isinstance(configured, dict) else ())))
    return {name: _environment(name, where.at(name), findings) for name in names}


def _environment(name: str, where: Where, findings: Findings) -> Environment | None:
    checked = findings.check(EnvironmentSection, where)
    if checked is None:
        return None
    section, broken = checked.section, checked.broken
    tls = checked_tls(section.tls_config or TlsSection(), where.at("tls_config"), findings)
    if "wsdl" in broken:
        return None
    wsdl = section.wsdl or BUILT_IN.get(name)
    if wsdl is None:
        findings.reject(where.at("wsdl"), "is required: only production and testing are built in")
        return None
    environment = Environment(
        name=name,
        wsdl=wsdl,
        allow_plaintext=bool(section.allow_plaintext),
        concurrency=section.concurrency or DEFAULT_CONCURRENCY,
        proxy_url=section.proxy_url,
        tls=tls,
    )
    if urlsplit(wsdl).scheme == "http":
        if not broken & {"allow_plaintext", "proxy_url"}:
            _check_plaintext(environment, where, findings)
        if section.tls_config is not None:
            findings.warn(where.at("tls_config"), "has no effect: the wsdl is an http:// address")
    return environment


def _check_plaintext(environment: Environment, where: Where, findings: Findings) -> None:
    """Reject http:// to the provider, where passwords would travel in clear, unless that is allowed."""
    proxy = environment.proxy_url
    if not is_loopback(environment.wsdl):
        key, text = "wsdl", "http:// would send passwords in clear"
    elif proxy is not None and not is_loopback(proxy.reveal()):
        key, text = "proxy_url", "with an http:// wsdl the passwords would pass the proxy in clear"
    else:
        return
    if environment.allow_plaintext:
        findings.warn(where.at("allow_plaintext"), "passwords to this environment travel in clear")
    else:
        findings.reject(where.at(key), f"{text}: use https://, or allow it with allow_plaintext: true")


def is_loopback(url: str) -> bool:
    """Return whether an address leads to this machine, so that nobody is in between."""
    host = host_of(url)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
