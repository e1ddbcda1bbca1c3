#!/usr/bin/env python
"""Writes the tables of keys in docs/configuration.md anew, from the models and the example configuration.

Usage: configuration-tables.py PAGE. What stands between `<!-- keys: SECTION -->` and `<!-- end -->` is
replaced, the rest is left as it is.
"""

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from exporter.config.duration import PATTERN
from exporter.config.model import LARGEST_COUNT
from exporter.config.schema import SECTIONS, ConfigFile
from exporter.config.yaml.rules import keys

EXAMPLE = Path(__file__).parents[1] / "config.example.yaml"
HEAD = "| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n"
TABLE = re.compile(r"(<!-- keys: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

# Where the examples of a section stand in the example configuration.
PLACES = {
    "ConfigFile": (),
    "GlobalSection": ("global",),
    "EnvironmentSection": ("environments", "*"),
    "TlsSection": ("environments", "*", "tls_config"),
    "AccountSection": ("accounts", "*"),
    "ThresholdsSection": ("accounts", "*", "thresholds"),
    "CalendarSection": ("calendar",),
    "IssuerSection": ("accounts", "*", "issuers", "*"),
}
# What the keys that hold others are described as, with the section of the page that has these.
NESTED = {
    "global": "[mapping](#global)",
    "environments": "[mapping by name](#environments)",
    "accounts": "[list](#accounts)",
    "account_files": "list of file names",
    "tls_config": "[mapping](#tls_config)",
    "thresholds": "[mapping](#thresholds)",
    "labels": "mapping of text to text",
    "calendar": "[mapping](#calendar)",
    "closed": "list of dates",
    "issuers": "[list](#issuers)",
    "issuer_files": "list of file names",
}


def main(page: Path) -> None:
    """Replace the tables of a page."""
    # With what is switched off in it: settings behind a # without a blank.
    text = re.sub(
        r"(?m)^( *)#(?=[-a-z]| +(- )?[a-z_]+:( |$)| +- [a-z])", r"\1", EXAMPLE.read_text(encoding="utf-8")
    )
    values = yaml.safe_load(text)
    sections = {section.__name__: section for section in SECTIONS}
    top = ConfigFile.model_json_schema()
    schemas = {**top["$defs"], ConfigFile.__name__: top}

    def table(found: re.Match[str]) -> str:
        name = found[2]
        at = _values_at(values, PLACES[name])
        rows = "".join(_row(key, schemas[name], at) for key in keys(sections[name]))
        return f"{found[1]}\n{HEAD}{rows}\n{found[3]}"

    page.write_text(TABLE.sub(table, page.read_text(encoding="utf-8")), encoding="utf-8")


def _row(key: str, schema: dict[str, Any], values: list[dict[str, Any]]) -> str:
    described = schema["properties"][key]
    meaning, _, default = described["description"].partition(" Default: ")
    if key in schema.get("required", ()):
        default = "required"
    elif meaning.startswith("As in global"):
        default, meaning = "that of `global`", "As in [`global`](#global)."
    elif default:
        default = _marked(default.removesuffix("."))
    example = "" if default == "that of `global`" else _example(key, values)
    cells = (f"`{key}`", _type(key, described), default or "none", meaning, example)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _marked(default: str) -> str:
    """A value as code; a default that is a phrase stays one."""
    return default if " " in default or default == "none" else f"`{default}`"


def _type(key: str, schema: dict[str, Any]) -> str:
    if key in NESTED:
        return NESTED[key]
    if schema.get("pattern") == PATTERN:
        return "[duration](#values)"
    if schema["type"] == "integer":
        if schema["maximum"] == LARGEST_COUNT:
            return f"whole number, at least {schema['minimum']}"
        return f"whole number, {schema['minimum']} to {schema['maximum']}"
    if schema["type"] == "boolean":
        return "`true` or `false`"
    return "file name" if key.endswith("_file") else "text"


def _example(key: str, values: list[dict[str, Any]]) -> str:
    """The first value that the example has for a key; what holds others has a section of the page instead."""
    if key in NESTED and key not in ("account_files", "issuer_files", "thresholds", "labels", "closed"):
        return ""
    value = next(found[key] for found in values if key in found)
    written = yaml.safe_dump({key: value}, default_flow_style=True, sort_keys=False, width=1000).strip()
    return f"`{written[len(key) + 3 : -1]}`"  # without its braces and its key


def _values_at(value: Any, place: tuple[str, ...]) -> list[dict[str, Any]]:
    """All mappings at a place, of which * is any item or key."""
    found = [value]
    for step in place:
        if step == "*":
            found = [inner for each in found for inner in (each.values() if isinstance(each, dict) else each)]
        else:
            found = [each[step] for each in found if step in each]
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
