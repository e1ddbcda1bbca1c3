"""``--http.config.file``: how to get in where a server asks for it, in the format that promtool takes.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#http_config; of its keys
those with which a client says who it is and whom it trusts.
"""

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import PlainValidator

from exporter.config import ConfigError, TlsConfig
from exporter.config.schema import TlsSection
from exporter.config.tls import checked_tls
from exporter.config.values import OptionalFileName, Password
from exporter.config.yaml.document import Where
from exporter.config.yaml.files import ReadError, read_text
from exporter.config.yaml.findings import Checked, Findings
from exporter.config.yaml.rules import Section, as_text, keys, wrong
from exporter.config.yaml.vocabulary import Vocabulary
from exporter.secret import Secret

_SECRET_LIMIT: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """Whom to trust, and what to say who one is: the header ``Authorization``, if any."""

    tls: TlsConfig = field(default_factory=TlsConfig)
    authorization: Secret | None = None
    warnings: tuple[str, ...] = ()


def _username(value: object) -> str:
    text = as_text(value)
    if ":" in text or not text.isprintable():
        raise wrong("must be text on one line without a colon")
    return text


def _scheme(value: object) -> str:
    text = as_text(value)
    if not re.fullmatch("[A-Za-z][A-Za-z0-9-]*", text) or text.lower() == "basic":
        raise wrong("must be a scheme such as Bearer; for Basic there is basic_auth")
    return text


class _BasicAuth(Section):
    username: Annotated[str, PlainValidator(_username)]
    password: Password = None
    password_file: OptionalFileName = None


class _Authorization(Section):
    type: Annotated[str, PlainValidator(_scheme)] = "Bearer"
    credentials: Password = None
    credentials_file: OptionalFileName = None


class _Outline(Section):
    basic_auth: object = None
    authorization: object = None
    tls_config: object = None


_VOCABULARY: Final = Vocabulary(
    frozenset(key for one in (_Outline, _BasicAuth, _Authorization, TlsSection) for key in keys(one))
)


def load_http_config(path: Path) -> HttpConfig:
    """Read the file and what it names. Raises ConfigError with every error."""
    findings = Findings(path.parent, _VOCABULARY)
    try:
        document = findings.read(path)
    except ReadError as error:
        raise ConfigError((f"{path}: {error}",)) from None
    outline = findings.check(_Outline, Where(document)) if document else None
    if outline is None:
        raise findings.error()
    tls = findings.check(TlsSection, outline.where.at("tls_config"))
    trusted = checked_tls(tls.section, tls.where, findings) if tls and not tls.broken else TlsConfig()
    authorization = _authorization(outline, findings)
    if findings.problems:
        raise findings.error()
    return HttpConfig(trusted, authorization, tuple(findings.warnings))


def _authorization(outline: Checked[_Outline], findings: Findings) -> Secret | None:
    basic_auth, authorization = outline.where.at("basic_auth"), outline.where.at("authorization")
    if basic_auth.value() is not None and authorization.value() is not None:
        findings.reject(authorization, "may not stand beside basic_auth")
    elif basic_auth.value() is not None:
        basic = findings.check(_BasicAuth, basic_auth)
        if basic and (password := _secret(basic, "password", findings)):
            both = f"{basic.section.username}:{password.reveal()}".encode()
            return Secret(f"Basic {base64.b64encode(both).decode()}")
    elif authorization.value() is not None:
        other = findings.check(_Authorization, authorization)
        if other and (credentials := _secret(other, "credentials", findings)):
            if re.fullmatch("[!-~]+", credentials.reveal()):
                return Secret(f"{other.section.type} {credentials.reveal()}")
            findings.reject(authorization, "the credentials must be ASCII without blanks and line ends")
    return None


def _secret(
    checked: Checked[_BasicAuth] | Checked[_Authorization], key: str, findings: Findings
) -> Secret | None:
    """Return what stands under a key or in the file that KEY_file names; ``None``, noted, without either."""
    if checked.broken:
        return None
    given: Secret | None = getattr(checked.section, key)
    name: str | None = getattr(checked.section, f"{key}_file")
    where = checked.where.at(f"{key}_file")
    if (given is None) == (name is None):
        findings.reject(checked.where, f"needs exactly one of {key} and {key}_file")
        return None
    if name is None:
        return given
    try:
        # Editors and echo end a file with a line end.
        text = re.sub(r"\r?\n\Z", "", read_text(findings.base / name, _SECRET_LIMIT))
    except ReadError as error:
        findings.reject(where, f"{error}: {(findings.base / name).absolute()}")
        return None
    if not text:
        findings.reject(where, "is empty")
        return None
    return Secret(text)
