"""The environments: built-in and configured ones, and the checks that take more than one of their keys."""

import ipaddress
import ssl
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from exporter.config.model import Environment, TlsConfig, host_of
from exporter.config.schema import EnvironmentSection, TlsSection
from exporter.config.yaml.document import Where
from exporter.config.yaml.files import FILE_LIMIT, ReadError, read_bytes
from exporter.config.yaml.findings import Findings

BUILT_IN = {
    "production": "https://solucionfactible.com/ws/services/Utilerias?wsdl",
    "testing": "https://testing.solucionfactible.com/ws/services/Utilerias?wsdl",
}
"""WSDLs of the built-in environments, from the provider's documentation."""

PROVIDER_HOSTS = frozenset(host_of(wsdl) for wsdl in BUILT_IN.values())
DEFAULT_CONCURRENCY = 4


def configured_environments(where: Where, findings: Findings) -> dict[str, Environment | None]:
    """The built-in environments and those of the file; None for one that is broken."""
    configured = where.value()
    names = dict.fromkeys((*BUILT_IN, *(configured if isinstance(configured, dict) else ())))
    return {name: _environment(name, where.at(name), findings) for name in names}


def _environment(name: str, where: Where, findings: Findings) -> Environment | None:
    checked = findings.check(EnvironmentSection, where)
    if checked is None:
        return None
    section, broken = checked.section, checked.broken
    tls = _tls(section.tls_config or TlsSection(), findings.base)
    _check_tls(tls, where.at("tls_config"), findings)
    if "wsdl" in broken:
        return None
    wsdl = section.wsdl or BUILT_IN.get(name)
    if wsdl is None:
        findings.refuse(where.at("wsdl"), "is required: only production and testing are built in")
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
    """Passwords must not travel in clear, not even to a proxy, unless that is asked for."""
    proxy = environment.proxy_url
    if not _is_loopback(environment.wsdl):
        key, text = "wsdl", "http:// would send passwords in clear"
    elif proxy is not None and not _is_loopback(proxy.reveal()):
        key, text = "proxy_url", "with an http:// wsdl the passwords would pass the proxy in clear"
    else:
        return
    if environment.allow_plaintext:
        findings.warn(where.at("allow_plaintext"), "passwords to this environment travel in clear")
    else:
        findings.refuse(where.at(key), f"{text}: use https://, or allow it with allow_plaintext: true")


def _is_loopback(url: str) -> bool:
    host = host_of(url)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# TLS. ---------------------------------------------------------------------------------------------------


def _tls(section: TlsSection, base: Path) -> TlsConfig:
    def path(name: str | None) -> Path | None:
        return base / name if name else None

    files = path(section.ca_file), path(section.cert_file), path(section.key_file)
    return TlsConfig(*files, bool(section.insecure_skip_verify))


def _check_tls(tls: TlsConfig, where: Where, findings: Findings) -> None:
    """The files must be there and hold what they should: a reload must not find out at the first call."""
    readable = True
    for key, path in tls.files.items():
        findings.files[path] = None
        try:
            read_bytes(path, FILE_LIMIT)
        except ReadError as error:
            findings.refuse(where.at(key), str(error))
            readable = False
    if bool(tls.cert_file) != bool(tls.key_file):
        findings.refuse(where, "cert_file and key_file are needed together")
    elif readable:
        _check_loads(tls, where, findings)
    if tls.insecure_skip_verify:
        text = "any certificate is accepted: whoever is in between can read the passwords"
        findings.warn(where.at("insecure_skip_verify"), text)


def _check_loads(tls: TlsConfig, where: Where, findings: Findings) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca_file:
        try:
            context.load_verify_locations(tls.ca_file)
        except (ssl.SSLError, ValueError):
            findings.refuse(where.at("ca_file"), "holds no PEM certificate that can be loaded")
    if tls.cert_file:
        try:
            context.load_cert_chain(tls.cert_file, tls.key_file, password=_no_passphrase)
        except _PassphraseError:
            findings.refuse(where.at("key_file"), "is encrypted: give a key without a passphrase")
        except (ssl.SSLError, ValueError):
            findings.refuse(where.at("cert_file"), "doesn't load together with key_file, or isn't PEM")


class _PassphraseError(Exception):
    """OpenSSL asks for the passphrase of a key."""


def _no_passphrase() -> NoReturn:
    raise _PassphraseError  # without a callback OpenSSL would ask on the terminal
