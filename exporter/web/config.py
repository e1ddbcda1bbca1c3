"""``--web.config.file``: TLS and basic auth, in the format of Prometheus' exporter-toolkit.

Source: https://prometheus.io/docs/prometheus/latest/configuration/https/. What isn't supported here is
rejected by name, so that nobody believes in a protection that isn't there.
"""

import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, NoReturn

from pydantic import Field, PlainValidator

from exporter.config.model import ConfigError
from exporter.config.tls import no_passphrase
from exporter.config.values import Flag, OptionalFileName
from exporter.config.yaml.builder import may_be_shown
from exporter.config.yaml.document import Where
from exporter.config.yaml.files import ReadError, read_bytes
from exporter.config.yaml.findings import Checked, Findings
from exporter.config.yaml.rules import Section, as_text, keys, wrong
from exporter.config.yaml.vocabulary import Vocabulary
from exporter.web.protection import WebConfig

HEADERS: Final = (
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
)
"""Headers that may be configured: those of exporter-toolkit."""

_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
# The salt's last character holds two bits: the library rejects any other.
_BCRYPT: Final = re.compile(
    r"\$2[aby]\$(0[4-9]|1[0-9]|2[0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}"
)
_PEM_LIMIT: Final = 1024 * 1024


def _one_of(choices: Mapping[str, object]) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = as_text(value)
        if text not in choices:
            raise wrong(f"must be one of {', '.join(choices)}")
        return text

    return check


def _unsupported(_value: object) -> NoReturn:
    raise wrong("is not supported by this exporter")


def _no_http2(value: object) -> bool:
    if value is not False:
        raise wrong("HTTP/2 is not supported by this exporter: must be false")
    return False


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise wrong("must be a mapping of headers to their values")
    for name, text in value.items():
        if name not in HEADERS:
            raise wrong(f"may only have {', '.join(HEADERS)}")
        if not isinstance(text, str) or not text.isprintable():
            raise wrong(f"{name} must be text on one line: put it in quotes")
    return dict(value)


def _users(value: object) -> dict[str, bytes]:
    if not isinstance(value, dict):
        raise wrong("must be a mapping of users to bcrypt hashes")
    for name, hashed in value.items():
        if not isinstance(name, str) or ":" in name or not name:
            raise wrong("a user's name must be text without a colon")
        if not isinstance(hashed, str) or not _BCRYPT.fullmatch(hashed):
            # All before it have their hash, so its name is no piece of a password that stands in its place.
            user = name if may_be_shown(name, hashed) else "a user"
            raise wrong(f"the password of {user} must be a bcrypt hash, as htpasswd -nB makes it")
    return {name: hashed.encode() for name, hashed in value.items()}


_Unsupported = Annotated[None, PlainValidator(_unsupported)]


class _TlsServer(Section):
    cert_file: OptionalFileName = None
    key_file: OptionalFileName = None
    client_ca_file: OptionalFileName = None
    client_auth_type: Annotated[str, PlainValidator(_one_of(_CLIENT_AUTH))] = "NoClientCert"
    min_version: Annotated[str, PlainValidator(_one_of(_VERSIONS))] = "TLS12"
    max_version: Annotated[str, PlainValidator(_one_of(_VERSIONS))] = "TLS13"
    cert: _Unsupported = None
    key: _Unsupported = None
    client_ca: _Unsupported = None
    client_allowed_sans: _Unsupported = None
    cipher_suites: _Unsupported = None
    curve_preferences: _Unsupported = None
    prefer_server_cipher_suites: Flag = None  # without effect in exporter-toolkit too


class _HttpServer(Section):
    http2: Annotated[bool, PlainValidator(_no_http2)] = False
    headers: Annotated[dict[str, str], PlainValidator(_headers)] = Field(default_factory=dict)


class _Outline(Section):
    tls_server_config: object = None
    http_server_config: object = None
    basic_auth_users: Annotated[dict[str, bytes], PlainValidator(_users)] = Field(default_factory=dict)
    rate_limit: _Unsupported = None


_VOCABULARY: Final = Vocabulary(frozenset((*keys(_Outline), *keys(_TlsServer), *keys(_HttpServer))))


def load_web_config(path: Path) -> WebConfig:
    """Read the file and what it names. Raises ConfigError with every error."""
    findings = Findings(path.parent, _VOCABULARY)
    try:
        document = findings.read(path)
    except ReadError as error:
        raise ConfigError((f"{path}: {error}",)) from None
    outline = findings.check(_Outline, Where(document)) if document else None
    if outline is None:
        raise findings.error()
    http = findings.check(_HttpServer, outline.where.at("http_server_config"))
    tls = _tls(outline, findings)
    if findings.problems or http is None:
        raise findings.error()
    return WebConfig(
        tls=tls,
        users=outline.section.basic_auth_users,
        headers=http.section.headers,
        files=tuple(findings.files),
    )


def _tls(outline: Checked[_Outline], findings: Findings) -> ssl.SSLContext | None:
    where = outline.where.at("tls_server_config")
    if where.value() is None:
        return None
    checked = findings.check(_TlsServer, where)
    if checked is None or checked.broken:
        return None
    section = checked.section
    before = len(findings.problems)
    for key, needed in (
        ("cert_file", True),
        ("key_file", True),
        ("client_ca_file", section.client_auth_type != "NoClientCert"),
    ):
        given = getattr(section, key) is not None
        if needed and not given:
            findings.reject(where.at(key), "is required")
        elif given and not needed:
            findings.reject(where.at(key), f"has no effect with client_auth_type {section.client_auth_type}")
    if section.min_version > section.max_version:
        findings.reject(where.at("min_version"), f"must not exceed max_version ({section.max_version})")
    return _context(section, where, findings) if len(findings.problems) == before else None


def _context(section: _TlsServer, where: Where, findings: Findings) -> ssl.SSLContext | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[section.min_version]
    context.maximum_version = _VERSIONS[section.max_version]
    paths: dict[str, Path] = {}
    for key in ("cert_file", "key_file", "client_ca_file"):
        if name := getattr(section, key):
            paths[key] = findings.base / name
            findings.files[paths[key]] = None
            try:
                read_bytes(paths[key], _PEM_LIMIT)
            except ReadError as error:
                findings.reject(where.at(key), str(error))
                return None
    try:
        context.load_cert_chain(paths["cert_file"], paths["key_file"], password=no_passphrase)
    except (OSError, ValueError):  # an SSLError, or it has been removed a moment ago
        findings.reject(
            where, "cert_file and key_file are no certificate and its key without a passphrase (PEM)"
        )
        return None
    if "client_ca_file" in paths:
        try:
            context.load_verify_locations(paths["client_ca_file"])
        except OSError:
            findings.reject(where.at("client_ca_file"), "holds no certificate (PEM)")
            return None
        context.verify_mode = _CLIENT_AUTH[section.client_auth_type]
    return context
