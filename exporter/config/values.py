"""What a single value of the configuration must be, and what of it a message may show."""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import PlainValidator, WithJsonSchema

from exporter.config import rfc
from exporter.config.credentials import is_empty
from exporter.config.duration import PATTERN, format_duration, parse_duration
from exporter.config.holidays import countries
from exporter.config.model import COUNTRY, LARGEST_COUNT
from exporter.config.yaml.rules import StandIn, as_text, got, wrong
from exporter.secret import Secret
from exporter.suggestion import suggestion

DAY = 86_400.0
OWN_LABELS = ("account", "pac_environment")
ISSUER_OWN_LABELS = (*OWN_LABELS, "issuer")
TARGET_LABELS = ("job", "instance")
"""Prometheus attaches these to everything that it scrapes."""
NO_XML = "contains a character that XML can't carry"
NO_TEXT = "is empty but for blanks, line ends or invisible characters"

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")  # PyYAML without libyaml lets them in


def fits_xml(text: str) -> bool:
    """Return whether a SOAP request can carry it: XML 1.0 has no way to write most control characters."""
    return not _NOT_XML.search(text)


# Text. --------------------------------------------------------------------------------------------------


def _name(value: object) -> str:
    text = as_text(value)
    if len(text) > 200:
        raise wrong(f"must have at most 200 characters, got {len(text)}")
    return _one_line(text)


def _one_line(value: object) -> str:
    text = as_text(value)
    if _CONTROL.search(text):
        raise wrong("must not contain control characters")
    return text


def _environment_name(value: object) -> str:
    text = as_text(value)
    if len(text) > 64 or not text.isprintable():
        raise wrong("the name of an environment must be printable and have at most 64 characters")
    return text


def _xml_text(value: object) -> str:
    text = as_text(value)
    if not fits_xml(text):
        raise wrong(NO_XML)
    if is_empty(text):
        raise wrong(NO_TEXT)
    return text


def _password(value: object) -> Secret:
    if value is None:
        raise wrong("must not be empty; one that begins with a # needs quotes")
    return Secret(_xml_text(value))


def _variable(value: object) -> str:
    text = as_text(value)
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", text):  # not shown: it may be the password itself
        raise wrong("must be the name of an environment variable (letters, digits and _)")
    return text


def _label_name(value: object) -> str:
    text = as_text(value)
    if not re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", text):
        raise wrong("not a label name that Prometheus allows (letters, digits and _, no digit first)")
    if text.startswith("__"):
        raise wrong("label names that begin with __ are reserved by Prometheus")
    if text in OWN_LABELS:
        raise wrong("clashes with a label that cfdi_account_info has by itself")
    if text in TARGET_LABELS:
        raise wrong("clashes with a label that Prometheus attaches by itself")
    return text


def _issuer_label_name(value: object) -> str:
    text = _label_name(value)
    if text in ISSUER_OWN_LABELS:
        raise wrong("clashes with a label that cfdi_issuer_info has by itself")
    return text


def _label_value(value: object) -> str:
    text = "" if value == "" else as_text(value)
    if len(text) > 1024:
        raise wrong(f"must have at most 1024 characters, got {len(text)}")
    if _SURROGATE.search(text):
        raise wrong("contains half a character (a surrogate)")
    return text


# The calendar. ------------------------------------------------------------------------------------------


_ZONE = re.compile("[A-Za-z][A-Za-z0-9_+-]{0,30}(/[A-Za-z0-9_+-]{1,30}){0,2}")


def _timezone(value: object) -> str:
    text = as_text(value)
    if not _ZONE.fullmatch(text):
        raise wrong(f"must be a timezone such as America/Mexico_City, {got(value)}")
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # OSError: a folder of the database, such as America
        close = suggestion(text, available_timezones()) or ": it must be one such as America/Mexico_City"
        raise wrong(f"no timezone is called {text}{close}") from None
    return text


def _country(value: object) -> str:
    text = as_text(value)
    if not re.fullmatch("[A-Z]{2}", text):
        upper = f", did you mean {text.upper()}?" if re.fullmatch("[A-Za-z]{2}", text) else ""
        raise wrong(f"must be a country's two letters (ISO 3166-1) such as MX, {got(value)}{upper}")
    if text != COUNTRY and text not in countries():  # the default is known without a look, which takes long
        raise wrong(f"of {text} no public holidays are known: take another country, and list them in closed")
    return text


def _day(value: object) -> date:
    text = as_text(value)
    try:
        # Python takes some other forms, too.
        return date.fromisoformat(text if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else "")
    except ValueError:
        raise wrong(f"must be a date such as 2026-12-24, {got(value)}") from None


_RFC_SHOWN = re.compile("[A-Za-z0-9ÑñÜü&+-][A-Za-z0-9ÑñÜü&._+-]{0,39}")


def _rfc(value: object) -> str:
    text = as_text(value)
    if isinstance(value, StandIn):
        return text
    if text in rfc.GENERIC:
        raise wrong(f"{text} is a generic RFC, which nobody issues with: give the issuer's own")
    if not rfc.is_formed(text):
        found = f"got {text}" if _RFC_SHOWN.fullmatch(text) else got(value)
        remedy = f", did you mean {meant}?" if (meant := rfc.meant(text)) else ""
        raise wrong(f"{rfc.fault(text)}, {found}{remedy}")
    return text


_STRING = {"type": "string", "minLength": 1}
_VARIABLE = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}


def _label_pattern(own: tuple[str, ...]) -> WithJsonSchema:
    return WithJsonSchema(
        {"pattern": f"^(?!__)(?!({'|'.join(own + TARGET_LABELS)})$)[a-zA-Z_][a-zA-Z0-9_]*$"}
    )


Name = Annotated[str, PlainValidator(_name), WithJsonSchema({**_STRING, "maxLength": 200})]
EnvironmentName = Annotated[
    str, PlainValidator(_environment_name), WithJsonSchema({**_STRING, "maxLength": 64})
]
EnvironmentChoice = Annotated[str | None, PlainValidator(as_text), WithJsonSchema(_STRING)]
Username = Annotated[str, PlainValidator(_xml_text), WithJsonSchema(_STRING)]
Password = Annotated[Secret | None, PlainValidator(_password), WithJsonSchema(_STRING)]
FileName = Annotated[str, PlainValidator(_one_line), WithJsonSchema(_STRING)]
OptionalFileName = Annotated[str | None, PlainValidator(_one_line), WithJsonSchema(_STRING)]
Variable = Annotated[str | None, PlainValidator(_variable), WithJsonSchema(_VARIABLE)]
Timezone = Annotated[str | None, PlainValidator(_timezone), WithJsonSchema(_STRING)]
Country = Annotated[
    str | None, PlainValidator(_country), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$"})
]
Day = Annotated[
    date,
    PlainValidator(_day),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
]
Rfc = Annotated[str, PlainValidator(_rfc), WithJsonSchema({"type": "string", "pattern": rfc.PATTERN})]
LabelName = Annotated[str, PlainValidator(_label_name), _label_pattern(OWN_LABELS)]
IssuerLabelName = Annotated[str, PlainValidator(_issuer_label_name), _label_pattern(ISSUER_OWN_LABELS)]
LabelValue = Annotated[
    str, PlainValidator(_label_value), WithJsonSchema({"type": "string", "maxLength": 1024})
]


# Numbers, durations and flags. --------------------------------------------------------------------------


_GROUPED = re.compile(r"[+-]?[0-9]{1,3}([,.'’_ \u00a0\u202f][0-9]{3})+")
_UNITS = {
    "s": "s sec secs second seconds seg segundo segundos",
    "m": "m min mins minute minutes minuto minutos",
    "h": "h hr hrs hour hours hora horas",
    "d": "d day days dia dias día días",
    "w": "w week weeks semana semanas",
    "ms": "ms msec msecs millisecond milliseconds milisegundos",
}
_UNIT = {word: unit for unit, words in _UNITS.items() for word in words.split()}
"""The unit that is meant, by how people write it."""
_PART = r"([0-9]{1,9}(?:[.,][0-9]{1,9})?) *([^\W\d_]{1,20}),? *"
_NEARLY_DURATION = re.compile(f"({_PART})+")


def _whole(least: int, most: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong(f"must be a whole number{_number_remedy(value)}, {got(value)}")
        if not least <= value <= most:
            raise wrong(f"must be from {least} to {most}, {got(value)}")
        return value

    return check


def _number_remedy(value: object) -> str:
    """Return what to write instead of something that looks like a number."""
    if isinstance(value, float):
        return " without a dot"  # 5.000 is 5 to YAML
    if isinstance(value, str) and _GROUPED.fullmatch(value):
        return f" without a comma, dot or blank ({re.sub('[^0-9+-]', '', value)})"
    if isinstance(value, str) and re.fullmatch("[+-]?[0-9]+", value):
        return " without quotes"
    if isinstance(value, str) and re.fullmatch("[0-9][0-9,.'’_ \u00a0\u202f]*", value):
        return " without a comma, dot or blank"
    return ""


def _range(least: int, most: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": least, "maximum": most})


def _duration(least: float, most: float) -> Callable[[object], float]:
    """Return a check that gives the seconds of a duration within bounds, in seconds too."""

    def check(value: object) -> float:
        try:
            seconds = parse_duration(value if isinstance(value, str) else "")
        except ValueError:
            rule = "must be a duration such as 30s, 5m or 1h30m"
            raise wrong(f"{rule}, {got(value)}{_duration_remedy(value)}") from None
        if seconds < least:
            raise wrong(f"must be at least {format_duration(least)}, {got(value)}")
        if seconds > most:
            raise wrong(f"must be at most {format_duration(most)}, {got(value)}")
        return seconds

    return check


def _duration_remedy(value: object) -> str:
    """Return what was probably meant by something that is nearly a duration."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if re.fullmatch("[0-9]{1,9}", text):
        return f": the unit is missing, as in {text}s or {text}m"
    parts = re.findall(_PART, text) if _NEARLY_DURATION.fullmatch(text) else []
    units = [_UNIT.get(word.lower()) for _, word in parts]
    seconds = sum(
        float(number.replace(",", ".")) * parse_duration(f"1{unit}")
        for (number, _), unit in zip(parts, units, strict=True)
        if unit
    )
    return f", did you mean {format_duration(seconds)}?" if seconds and all(units) else ""


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        quotes = " without quotes" if isinstance(value, str) and value.lower() in ("true", "false") else ""
        raise wrong(f"must be true or false{quotes}, {got(value)}")
    return value


_DURATION = WithJsonSchema({"type": "string", "pattern": PATTERN})

Attempts = Annotated[int | None, PlainValidator(_whole(1, 3)), _range(1, 3)]
Concurrency = Annotated[int | None, PlainValidator(_whole(1, 10_000)), _range(1, 10_000)]
LoginConcurrency = Annotated[int | None, PlainValidator(_whole(1, 32)), _range(1, 32)]
Stamps = Annotated[int | None, PlainValidator(_whole(0, LARGEST_COUNT)), _range(0, LARGEST_COUNT)]
Interval = Annotated[float | None, PlainValidator(_duration(1, 30 * DAY)), _DURATION]
Timeout = Annotated[float | None, PlainValidator(_duration(0.1, 600)), _DURATION]
StaleAfter = Annotated[float | None, PlainValidator(_duration(0.001, 365 * DAY)), _DURATION]
Flag = Annotated[bool | None, PlainValidator(_flag), WithJsonSchema({"type": "boolean"})]
