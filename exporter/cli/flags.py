"""The flags: named as in the Prometheus family, with help that fits a screen."""

import argparse
import itertools
import platform
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from structlog.typing import FilteringBoundLogger

from exporter import __version__
from exporter.cli import values
from exporter.suggestion import suggestion

PROGRAM: Final = "cfdi-stamps-exporter"

Command = Callable[[argparse.Namespace, FilteringBoundLogger], int]
"""Runs what the command line asks for and returns the exit code."""

_COMMANDS: Final = ("check", "history", "demo", "simulator")

_DESCRIPTION: Final = (
    "Tells Prometheus how many prepaid CFDI stamps are left at the PAC Solución Factible. "
    "Without a command it runs the daemon. Defaults are in parentheses."
)


class UsageError(Exception):
    """The command line is wrong; the text says what, ``program`` is the command that it is wrong for."""

    def __init__(self, program: str, text: str) -> None:
        super().__init__(text)
        self.program = program


class _Parser(argparse.ArgumentParser):
    """Suggests the flag or the command that was probably meant. Raises UsageError."""

    def parse_known_args(  # type: ignore[override] # its overloads are for other namespaces than argparse's
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        # Here each command reports its own unknown flags, at once: argparse would leave that to the parser
        # above it, and take what stands behind such a flag for a command.
        own = itertools.takewhile(lambda arg: arg not in (*_COMMANDS, "--"), args or ())
        self._reject([arg for arg in own if arg.startswith("-") and not self._knows(arg)])
        options, unknown = super().parse_known_args(args, namespace)
        self._reject(unknown)
        return options, unknown

    def _knows(self, flag: str) -> bool:
        return flag.partition("=")[0] in self._option_string_actions

    def _reject(self, unknown: Sequence[str]) -> None:
        if unknown:
            name = unknown[0].partition("=")[0]
            kind = "flag" if name.startswith("-") else "argument"
            self.error(f"unknown {kind}: {name}{suggestion(name, self._option_string_actions)}")

    def error(self, message: str) -> NoReturn:
        _, marker, choice = message.partition("argument : invalid choice: ")
        if marker:
            name = choice.split("'")[1]
            message = f"unknown command: {name}{suggestion(name, _COMMANDS)}"
        raise UsageError(self.prog, message)


def _nothing(_options: argparse.Namespace, _log: FilteringBoundLogger) -> int:
    return 0


def parser(
    daemon: Command, check: Command, demo: Command, simulator: Command, history: Command = _nothing
) -> argparse.ArgumentParser:
    """Return the parser of the command line; what it parses has the ``command`` to run."""
    top = _Parser(
        prog=PROGRAM,
        description=_DESCRIPTION,
        allow_abbrev=False,
        formatter_class=_wide,
        usage=f"{PROGRAM} [flags] [command]",
    )
    top.set_defaults(command=daemon)
    version = f"{PROGRAM}, version {__version__} (Python {platform.python_version()})"
    top.add_argument("--version", action="version", version=version)
    _add_config_flags(top)
    _flag(
        top,
        "--config.check",
        action="store_true",
        help="check the configuration, list every error, exit",
    )
    _flag(top, "--config.auto-reload", action="store_true", help="reload when the configuration has changed")
    _add_web_flags(top)
    _add_log_flags(top)
    commands = top.add_subparsers(title="commands", metavar="", prog=PROGRAM, parser_class=_Parser)
    _add_check(commands, check)
    _add_history(commands, history)
    _add_web_flags(_command(commands, "demo", demo, "run the daemon on the built-in simulated provider"))
    _add_simulator_flags(_command(commands, "simulator", simulator, "run the simulated provider alone"))
    return top


class _Help(argparse.HelpFormatter):
    def _format_action(self, action: argparse.Action) -> str:
        return super()._format_action(action).removeprefix("  \n")  # where the commands would have a name


def _wide(prog: str) -> argparse.HelpFormatter:
    columns = shutil.get_terminal_size((100, 24)).columns
    return _Help(prog, max_help_position=32, width=min(columns, 100))


def _command(commands: Any, name: str, command: Command, text: str) -> argparse.ArgumentParser:
    # Flags stand before or behind the command; what stands behind it must not reset what stood before it.
    added: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=_wide,
    )
    added.set_defaults(command=command)
    _add_log_flags(added)
    return added


def _add_check(commands: Any, command: Command) -> None:
    check = _command(
        commands, "check", command, "ask for one account's balance, or all, once, and explain the answer"
    )
    check.add_argument(
        "account",
        metavar="NAME",
        nargs="?",
        default=None,
        help="an account's name, or NAME/ISSUER for an issuer under it",
    )
    check.add_argument(
        "--all", action="store_true", default=False, help="ask for all accounts, one after the other"
    )
    check.add_argument("--resume", action="store_true", default=False, help="lift its suspension first")
    check.add_argument(
        "--shape",
        action="store_true",
        default=False,
        help="print what the WSDL and the answer are made of, without any value: to be shown to others",
    )
    _add_config_flags(check)


def _add_history(commands: Any, command: Command) -> None:
    history = _command(
        commands, "history", command, "import what was used on days before the exporter counted it"
    )
    history.add_argument("action", choices=("import",), metavar="import", help="what to do")
    history.add_argument(
        "file", type=values.file, nargs="?", default=None, metavar="FILE", help="CSV: account,day,stamps"
    )
    history.add_argument(
        "--from-prometheus",
        type=values.url,
        default=None,
        metavar="URL",
        help="import what this Prometheus has kept, instead of a file",
    )
    history.add_argument(
        "--match",
        type=values.matchers,
        default=None,
        metavar="SELECTOR",
        help="which of its series, where several exporters have an account of that name",
    )
    history.add_argument(
        "--http.config.file",
        dest="http_config_file",
        type=values.file,
        default=None,
        metavar="FILE",
        help="basic auth, authorization and TLS towards it, in the format that promtool takes",
    )
    _add_config_flags(history)


def _flag(parser: argparse.ArgumentParser, flag: str, **settings: Any) -> None:
    """Add a flag whose default counts unless it is given before or behind a command."""
    if settings.get("action") == "store_true":
        settings["default"] = False
    if parser.argument_default == argparse.SUPPRESS:
        settings["default"] = argparse.SUPPRESS
    parser.add_argument(flag, dest=flag.strip("-").replace(".", "_").replace("-", "_"), **settings)


def _add_config_flags(parser: argparse.ArgumentParser) -> None:
    _flag(
        parser,
        "--config.file",
        type=values.file,
        default=Path("config.yaml"),
        metavar="FILE",
        help="the configuration (config.yaml)",
    )
    _flag(
        parser,
        "--storage.path",
        type=values.file,
        default=None,
        metavar="FILE",
        help="what survives a restart (state.db beside the configuration); :memory: keeps nothing",
    )


def _add_web_flags(parser: argparse.ArgumentParser) -> None:
    _flag(
        parser,
        "--web.listen-address",
        action="append",
        type=values.listen_address,
        default=None,
        metavar="ADDRESS",
        help="host:port, :port or [address]:port, repeatable (:10520); port 0 picks one and logs it",
    )
    _flag(
        parser,
        "--web.config.file",
        type=values.file,
        default=None,
        metavar="FILE",
        help="TLS and basic auth, in the format of Prometheus' exporter-toolkit",
    )
    _flag(
        parser,
        "--web.telemetry-path",
        type=values.path,
        default="/metrics",
        metavar="PATH",
        help="where the metrics are (/metrics)",
    )
    _flag(
        parser,
        "--web.max-requests",
        type=values.count,
        default=40,
        metavar="N",
        help="scrapes and pages at a time, beyond that 503 (40); 0 is no limit",
    )
    _flag(
        parser, "--web.enable-lifecycle", action="store_true", help="allow POST /-/reload and POST /-/resume"
    )


def _add_log_flags(parser: argparse.ArgumentParser) -> None:
    _flag(
        parser,
        "--log.level",
        choices=("debug", "info", "warn", "error"),
        default="info",
        metavar="LEVEL",
        help="debug, info, warn or error (info)",
    )
    _flag(
        parser,
        "--log.format",
        choices=("logfmt", "json"),
        default="logfmt",
        metavar="FORMAT",
        help="logfmt or json (logfmt)",
    )


def _add_simulator_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--simulator.listen-address",
        dest="simulator_listen_address",
        type=values.listen_address,
        default="127.0.0.1:8099",
        metavar="ADDRESS",
        help="host:port to listen on (127.0.0.1:8099)",
    )
    parser.add_argument(
        "--simulator.speed",
        dest="simulator_speed",
        type=values.speed,
        default=1.0,
        metavar="N",
        help="simulated seconds in a second (1)",
    )
    parser.add_argument(
        "--simulator.accounts",
        dest="simulator_accounts",
        type=values.count,
        default=0,
        metavar="N",
        help="accounts beside the ready-made ones (0)",
    )
    parser.add_argument(
        "--simulator.issuers",
        dest="simulator_issuers",
        type=values.count,
        default=0,
        metavar="N",
        help="issuers of integrator@demo.example beside its ready-made ones (0)",
    )
