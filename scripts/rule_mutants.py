"""The small changes that `mutate-rules.py` breaks rules with."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(
    r"""\s+|"[^"]*"|\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*|\d+(?:\.\d+)?|[A-Za-z_:][\w:]*|==|!=|<=|>=|=~|!~|."""
)
FLIPS = {
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">"),
    "<=": ("<", ">"),
    ">": (">=", "<"),
    ">=": (">", "<"),
    "*": ("+",),
    "/": ("*",),
    "-": ("+",),
    "and": ("unless",),
    "unless": ("and",),
    "max": ("min",),
    "min": ("max",),
    "count": ("max",),
    "increase": ("delta", "rate"),
    "avg_over_time": ("max_over_time", "min_over_time"),
    "max_over_time": ("min_over_time",),
    "last_over_time": ("min_over_time", "max_over_time"),
}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Mutant:
    """One rule with one change."""

    file: str
    group: int
    rule: int
    name: str
    change: str
    key: str  # of the rule: expr, for or keep_firing_for
    value: str | None  # None: the key is left out

    def __str__(self) -> str:
        return f"{self.name}: {self.change}"


def mutants(files: Mapping[str, Any]) -> Iterator[Mutant]:
    """Yield all mutants of all rules, given as parsed rule files by name."""
    for file, content in files.items():
        for group_index, group in enumerate(content["groups"]):
            for rule_index, rule in enumerate(group["rules"]):
                name = name_of(rule)
                if severity := rule.get("labels", {}).get("severity"):
                    name += f" ({severity})"
                for key, change, value in _changes(rule):
                    yield Mutant(file, group_index, rule_index, name, change, key, value)


def name_of(rule: Mapping[str, Any]) -> str:
    """Return what a rule records, or the alert's name."""
    return str(rule.get("alert") or rule["record"])


def _changes(rule: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    tokens = TOKEN.findall(rule["expr"].strip())
    seen = {"".join(tokens)}
    for change, changed in _changed_expressions(tokens):
        expression = "".join(changed)
        if expression not in seen:
            seen.add(expression)
            yield "expr", change, expression
    for key in ("for", "keep_firing_for"):
        if key in rule:
            yield key, f"without {key}", None
            for factor in (0.5, 2):
                duration = _scaled(rule[key], factor)
                yield key, f"{key}: {rule[key]} -> {duration}", duration


def _changed_expressions(tokens: list[str]) -> Iterator[tuple[str, list[str]]]:
    for at, word in enumerate(tokens):
        for replacement in _replacements(tokens, at):
            yield _place(tokens, at, f"-> {replacement}"), [*tokens[:at], replacement, *tokens[at + 1 :]]
        if word == "bool":
            yield _place(tokens, at, "left out"), [*tokens[:at], *tokens[at + 1 :]]
        if word in {"and", "unless", "or"}:
            end = _end(tokens, at, {"or"} if word == "or" else {"and", "unless", "or"})
            yield _place(tokens, at, "right side left out"), [*tokens[:at], *tokens[end:]]
            if word == "or":
                start = _start(tokens, at)
                yield _place(tokens, at, "left side left out"), [*tokens[:start], *tokens[at + 1 :]]
        if word in {"by", "on", "ignoring", "group_left"}:
            yield from _without_items(tokens, at, "(", ")")
        if word == "{":
            yield from _without_items(tokens, at - 1, "{", "}")


def _replacements(tokens: list[str], at: int) -> Iterator[str]:
    token = tokens[at]
    if token in FLIPS and not _within(tokens, at, "{", "}"):
        yield from FLIPS[token]
    elif re.fullmatch(r"\d+[smhdw]", token):
        yield _scaled(token, 2)
        yield _scaled(token, 0.5)
    elif re.fullmatch(r"\d+(\.\d+)?", token):
        number = float(token)
        yield f"{number * 1.5 if number else 1:g}"
        if number:
            yield f"{number * 0.5:g}"


def _without_items(tokens: list[str], at: int, opening: str, closing: str) -> Iterator[tuple[str, list[str]]]:
    """Leave out each item of the list in parentheses or braces that follows a token."""
    start = at + 1
    while tokens[start].isspace():
        start += 1
    if tokens[start] != opening:
        return
    end = tokens.index(closing, start)
    items = "".join(tokens[start + 1 : end]).split(",")
    for item in filter(str.strip, items):
        rest = ",".join(other for other in items if other is not item)
        yield (
            _place(tokens, at, f"without {item.strip()}"),
            [*tokens[: start + 1], rest, *tokens[end:]],
        )


def _within(tokens: list[str], at: int, opening: str, closing: str) -> bool:
    return tokens[:at].count(opening) > tokens[:at].count(closing)


def _end(tokens: list[str], at: int, operators: set[str]) -> int:
    """Return where the right operand of the operator at a place ends."""
    depth = 0
    for place in range(at + 1, len(tokens)):
        depth += (tokens[place] in "([{") - (tokens[place] in ")]}")
        if depth < 0 or (depth == 0 and tokens[place] in operators):
            return place
    return len(tokens)


def _start(tokens: list[str], at: int) -> int:
    """Return where the parenthesis that an operator stands in begins."""
    depth = 0
    for place in range(at - 1, -1, -1):
        depth += (tokens[place] in ")]}") - (tokens[place] in "([{")
        if depth < 0:
            return place + 1
    return 0


def _place(tokens: list[str], at: int, change: str) -> str:
    """Describe a change by what stands around it."""
    before, after = "".join(tokens[max(0, at - 12) : at]), "".join(tokens[at + 1 : at + 8])
    return " ".join(f"{before}[{tokens[at]}]{after}".split()) + f"  {change}"


def _scaled(duration: str, factor: float) -> str:
    seconds = int(duration[:-1]) * UNITS[duration[-1]] * factor
    return f"{seconds:.0f}s"
