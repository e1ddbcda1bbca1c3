"""Checks TLS files with the configuration: a missing or broken one must not come up at the first call."""

import ssl
from pathlib import Path
from typing import NoReturn

from exporter.config.model import TlsConfig
from exporter.config.schema import TlsSection
from exporter.config.yaml.document import Where
from exporter.config.yaml.files import FILE_LIMIT, ReadError, UnreachableError, read_bytes
from exporter.config.yaml.findings import Findings


class PassphraseError(ValueError):
    """OpenSSL asks for the passphrase of a key."""


def no_passphrase() -> NoReturn:
    """Raise PassphraseError: without a callback OpenSSL would ask on the terminal."""
    raise PassphraseError("the key has a passphrase")


def checked_tls(section: TlsSection, where: Where, findings: Findings) -> TlsConfig:
    """Return the TLS settings of a section; what is wrong with their files is noted."""
    tls = _tls(section, findings.base)
    readable = True
    for key, path in tls.files.items():
        findings.files[path] = None
        try:
            read_bytes(path, FILE_LIMIT)
        except ReadError as error:
            looked = f": {path.absolute()}" if isinstance(error, UnreachableError) else ""
            findings.reject(where.at(key), f"{error}{looked}")
            readable = False
    if bool(tls.cert_file) != bool(tls.key_file):
        findings.reject(where, "cert_file and key_file are needed together")
    elif readable:
        _check_loads(tls, where, findings)
    if tls.insecure_skip_verify:
        text = "any certificate is accepted: whoever is in between can read the passwords"
        findings.warn(where.at("insecure_skip_verify"), text)
    return tls


def _tls(section: TlsSection, base: Path) -> TlsConfig:
    def path(name: str | None) -> Path | None:
        return base / name if name else None

    files = path(section.ca_file), path(section.cert_file), path(section.key_file)
    return TlsConfig(*files, bool(section.insecure_skip_verify))


def _check_loads(tls: TlsConfig, where: Where, findings: Findings) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca_file:
        try:
            context.load_verify_locations(tls.ca_file)
        except (ssl.SSLError, ValueError):
            findings.reject(where.at("ca_file"), "holds no PEM certificate that can be loaded")
    if tls.cert_file:
        try:
            context.load_cert_chain(tls.cert_file, tls.key_file, password=no_passphrase)
        except PassphraseError:
            findings.reject(where.at("key_file"), "is encrypted: give a key without a passphrase")
        except (ssl.SSLError, ValueError):
            findings.reject(where.at("cert_file"), "doesn't load together with key_file, or isn't PEM")
