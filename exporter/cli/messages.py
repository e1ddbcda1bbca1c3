"""What the command line tells whoever started it: plain lines for a person, JSON where the log is JSON."""

import sys
from collections.abc import Sequence

from exporter import log
from exporter.cli import stdio


class Messages:
    """Writes errors and warnings to stderr, and results to stdout, in the format of the log.

    ``event`` is the constant text of a JSON line; a plain line holds the rest alone.
    """

    def __init__(self, form: log.Format) -> None:
        self._json = form == "json"

    def error(self, event: str, error: str, remedy: str = "") -> None:
        """Tell what is wrong and, if that is known, what to do about it."""
        if self._json:
            log.logger(form="json").error(event, error=error, **({"remedy": remedy} if remedy else {}))
        else:
            stdio.complain(f"{error}: {remedy}" if remedy else error)

    def usage(self, program: str, error: str) -> None:
        """Tell what is wrong with the command line; the usage would push that off a small screen."""
        if self._json:
            self.error("wrong command line", error, f"try {program} --help")
        else:
            stdio.complain(f"{program}: error: {error}\nTry {program} --help")

    def warn(self, remark: str) -> None:
        """Warn of what in the configuration is probably a mistake, as the daemon's log does."""
        if self._json:
            log.logger(form="json").warning("configuration", remark=remark)
        else:
            stdio.complain(f"warning: {remark}")

    def info(self, event: str, text: str, **fields: object) -> None:
        """Write a result; the fields of the JSON line say what the text says."""
        if self._json:
            log.logger(form="json", stream=sys.stdout).info(event, **fields)
        else:
            stdio.say(text)


def log_format(arguments: Sequence[str]) -> log.Format:
    """Return the format that a command line asks for, also where something else in it is wrong."""
    form: log.Format = "logfmt"
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        flag, equals, value = argument.partition("=")
        if argument == "--":
            break
        if flag == "--log.format":
            form = "json" if (value if equals else following) == "json" else "logfmt"
    return form
