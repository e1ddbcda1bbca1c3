"""The address that a program listens on, out of its log lines."""

import json
import shlex


def fields(line: str) -> dict[str, str]:
    """The fields of a line in logfmt or JSON; empty where it is neither."""
    try:
        if line.startswith("{"):
            return {key: str(value) for key, value in json.loads(line).items()}
        words = shlex.split(line)
    except ValueError:  # no JSON, or a quote that is never closed
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def listening_address(log: str, message: str) -> str | None:
    """The `address` of the first complete line whose `msg` is `message`, None where there is none yet."""
    for line in log.splitlines(keepends=True):
        if line.endswith("\n") and (found := fields(line)).get("msg") == message:
            return found["address"]
    return None
