"""The shape of the configuration files: the keys of each section, in pydantic models and as a JSON Schema.

``python -m exporter.config.schema`` prints the JSON Schema, which is config.schema.json. What a single value
must be is in ``values``; defaults and what takes several keys to judge are in ``environments`` and
``accounts``.
"""

import json
import sys
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from exporter.config.addresses import Proxy, Wsdl
from exporter.config.values import (
    Attempts,
    Concurrency,
    Country,
    Day,
    EnvironmentChoice,
    EnvironmentName,
    FileName,
    Flag,
    Interval,
    IssuerLabelName,
    LabelName,
    LabelValue,
    LoginConcurrency,
    Name,
    OptionalFileName,
    Password,
    Rfc,
    StaleAfter,
    Stamps,
    Timeout,
    Timezone,
    Username,
    Variable,
)
from exporter.config.yaml.rules import Section, keys, wrong
from exporter.config.yaml.vocabulary import Vocabulary

MOST_LABELS = 32
MOST_CLOSED = 1000
PASSWORD_KEYS = ("password", "password_file", "password_env")


def optional(description: str) -> Any:
    """Return a key that may be left out."""
    return Field(default=None, description=description)


class GlobalSection(Section):
    """Defaults for every account."""

    environment: EnvironmentChoice = optional(
        "Name of the environment that accounts use. Default: production."
    )
    interval: Interval = optional(
        "Time between two polls of an account: 1s to 30d, at least 60s towards the hosts of the "
        "built-in environments. Default: 15m."
    )
    timeout: Timeout = optional(
        "Time limit of one poll, connection to last byte: 100ms to 10m. Default: 60s."
    )
    stale_after: StaleAfter = optional(
        "Age at which a balance is no longer shown. Default: 3 times the account's interval."
    )
    auth_attempts: Attempts = optional(
        "Tries with a wrong credential before the account is suspended: 1 to 3. Default: 2."
    )


class TlsSection(Section):
    """TLS towards the provider. File names are relative to the configuration file."""

    ca_file: OptionalFileName = optional(
        "PEM file of the certificate authorities to trust instead of the system's."
    )
    cert_file: OptionalFileName = optional("PEM file of a client certificate; needs key_file.")
    key_file: OptionalFileName = optional(
        "PEM file of the client certificate's key, without a passphrase; needs cert_file."
    )
    insecure_skip_verify: Flag = optional(
        "Accept any certificate: whoever is in between can read the passwords. Default: false."
    )


class EnvironmentSection(Section):
    """One place where the provider answers."""

    wsdl: Wsdl = optional(
        "Address of the WSDL; its scheme, host and port are also those of the service. "
        "Needed unless the environment is built in."
    )
    allow_plaintext: Flag = optional(
        "Allow http:// to a host that isn't this machine, or through a proxy that isn't: "
        "passwords can be read on the way. Default: false."
    )
    concurrency: Concurrency = optional(
        "Calls in flight to this environment, at most: 1 to 10000. Default: 4."
    )
    proxy_url: Proxy = optional("HTTP proxy to go through (http://user:password@host:port). Default: none.")
    tls_config: TlsSection | None = optional("TLS towards this environment.")


class ThresholdsSection(Section):
    """Balances that alerts compare with."""

    warning: Stamps = optional("Stamps left that call for a warning.")
    critical: Stamps = optional("Stamps left that are critical; must not exceed warning.")

    @model_validator(mode="after")
    def _in_order(self) -> "ThresholdsSection":
        if self.warning is not None and self.critical is not None and self.critical > self.warning:
            raise wrong(f"critical ({self.critical}) must not exceed warning ({self.warning})")
        return self


class IssuerSection(Section):
    """A company or person under an account, with stamps of its own."""

    name: Name = Field(description="Name, unique in its account: the label `issuer` of the metrics.")
    rfc: Rfc = Field(
        description="Its RFC, as invoices have it: what the provider is asked for. "
        "No metric and no page shows it."
    )
    thresholds: ThresholdsSection | None = optional("As those of an account, for this issuer's own stamps.")
    labels: (
        Annotated[
            dict[IssuerLabelName, LabelValue],
            Field(max_length=MOST_LABELS, json_schema_extra={"additionalProperties": False}),
        ]
        | None
    ) = optional("Extra labels of cfdi_issuer_info, at most 32.")


class AccountSection(Section):
    """One login at the provider."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in PASSWORD_KEYS]})

    name: Name = Field(description="Unique name: the label `account` of the metrics.")
    username: Username = Field(description="User of the provider's web service.")
    password: Password = optional("Its password: exactly one of the three password keys is needed.")
    password_file: OptionalFileName = optional(
        "File that holds the password, in UTF-8; one line end after it and a byte order mark are removed, "
        "nothing else."
    )
    password_env: Variable = optional("Environment variable that holds the password.")
    environment: EnvironmentChoice = optional("As in global, for this account.")
    interval: Interval = optional("As in global, for this account.")
    timeout: Timeout = optional("As in global, for this account.")
    stale_after: StaleAfter = optional("As in global, for this account.")
    auth_attempts: Attempts = optional("As in global, for this account.")
    thresholds: ThresholdsSection | None = optional(
        "Balances that alerts compare with; either one is fine alone."
    )
    labels: (
        Annotated[
            dict[LabelName, LabelValue],
            Field(max_length=MOST_LABELS, json_schema_extra={"additionalProperties": False}),
        ]
        | None
    ) = optional("Extra labels of cfdi_account_info, at most 32.")
    issuers: list[IssuerSection] | None = optional(
        "Issuers under this account whose own balances are asked for, with its login."
    )
    issuer_files: list[FileName] | None = optional(
        "Files with more issuers of this account, a list in each; * ? and [] match names. "
        "Relative to the configuration file."
    )
    issuer_interval: Interval = optional(
        "Time between two polls of an issuer, bounded as interval. Default: 4 times the account's interval."
    )
    issuer_concurrency: LoginConcurrency = optional(
        "Calls for issuers in flight with this login, at most: 1 to 32. "
        "When the password turns wrong, as many can fail at once. Default: 1."
    )


class AccountOutline(AccountSection):
    """An account whose issuers are checked by themselves, so that no error hides another's."""

    issuers: list[Any] | None = None


class CalendarSection(Section):
    """What the forecast and the alerts take for days and business days."""

    timezone: Timezone = optional(
        "Timezone of local days and business days, by its name in the IANA database. "
        "Default: America/Mexico_City."
    )
    country: Country = optional(
        "Country whose public holidays are no business days: two letters (ISO 3166-1). Default: MX."
    )
    closed: Annotated[list[Day], Field(max_length=MOST_CLOSED)] | None = optional(
        "Days on which you are closed beside these and weekends, at most 1000."
    )


class ConfigFile(Section):
    """Configuration of cfdi-stamps-exporter."""

    global_: GlobalSection | None = Field(
        default=None, alias="global", description="Defaults for every account."
    )
    environments: dict[EnvironmentName, EnvironmentSection | None] | None = optional(
        "Where the provider answers. production and testing are built in: add others, "
        "or override single keys."
    )
    accounts: list[AccountSection] | None = optional("The accounts to poll.")
    account_files: list[FileName] | None = optional(
        "Files with more accounts, a list in each; * ? and [] match names. Relative to this file."
    )
    calendar: CalendarSection | None = optional(
        "What the forecast and the alerts take for days and business days."
    )


class Outline(Section):
    """The top level alone. Each section is checked by itself, so that no error hides another section's."""

    global_: Any = Field(default=None, alias="global")
    environments: dict[EnvironmentName, Any] | None = None
    accounts: list[Any] | None = None
    account_files: list[FileName] | None = None
    calendar: Any = None


SECTIONS: tuple[type[Section], ...] = (
    GlobalSection,
    TlsSection,
    EnvironmentSection,
    ThresholdsSection,
    IssuerSection,
    AccountSection,
    CalendarSection,
    ConfigFile,
)


VOCABULARY = Vocabulary(
    known=frozenset(key for section in SECTIONS for key in keys(section)),
    secret=frozenset((*PASSWORD_KEYS, "proxy_url")),
)


def json_schema() -> str:
    """Return the JSON Schema of the configuration file, as config.schema.json holds it."""
    schema = ConfigFile.model_json_schema()
    title = "cfdi-stamps-exporter: configuration"
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}
    return json.dumps(_tidy(head), indent=2, ensure_ascii=False) + "\n"


def _tidy(schema: Any) -> Any:
    """Leave out what pydantic says of every key and no editor needs: null as the default, made-up titles."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items() if (key, value) != ("default", None)}
    for inner in tidy.get("properties", {}).values():
        inner.pop("title", None)
    return tidy


if __name__ == "__main__":
    sys.stdout.write(json_schema())
