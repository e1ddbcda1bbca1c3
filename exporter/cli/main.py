"""The command line: what its commands do. ``main`` returns the exit code."""

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from structlog.typing import FilteringBoundLogger

from exporter import log
from exporter.cli import command, remedies, stdio
from exporter.cli.flags import PROGRAM, Command, UsageError, parser
from exporter.cli.messages import Messages, log_format
from exporter.config import Config, ConfigError, load
from exporter.daemon.pace import PACE, Pace
from exporter.daemon.signals import stop_signals_held
from exporter.storage.engine import StorageError

if TYPE_CHECKING:
    from exporter.cli.check import Report
    from exporter.daemon.daemon import Options

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2

COLLECT: Final = (2_000, 5, 20)
"""When Python looks for cyclic garbage, of which a poll that is answered leaves none.

At Python 3.11's own thresholds (700, 10, 10) that took a quarter of a poll's CPU, and now and then stopped
the loop for a quarter of a second: so long it takes to look at all that 10,000 accounts consist of.
"""


_MEANT_FOR_OTHERS: Final = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir", "SSLKEYLOGFILE")
"""Variables that make libraries write files: metrics for another program, the keys of TLS."""


def run(pace: Pace = PACE) -> NoReturn:
    """Run the command line of this process."""
    for name in _MEANT_FOR_OTHERS:
        os.environ.pop(name, None)
    # Where no event loop takes it, SIGTERM ends it as an interrupt does: in good order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stdio.prepare()
    gc.set_threshold(*COLLECT)
    try:
        sys.exit(main(sys.argv[1:], pace))
    except KeyboardInterrupt:
        sys.exit(EXIT_OK)
    finally:
        messages = Messages(log_format(sys.argv[1:]))
        if not stdio.flush(lambda error: messages.error("can't write", error)):
            sys.exit(EXIT_FAILED)


def main(arguments: Sequence[str], pace: Pace = PACE) -> int:
    """Run a command line; return its exit code: 0, 1 for a failure, 2 for a wrong flag or configuration."""
    messages = Messages(log_format(arguments))
    try:
        options = parser(_daemon, _check, _demo, _simulator, _history).parse_args(
            arguments, argparse.Namespace(pace=pace)
        )
        if options.command is _check:
            _reject_what_contradicts(options)
        if options.command is _check:  # which ends with its report: no line may come behind that
            return _logged(options, log.logger(options.log_level, options.log_format))
        with log.Queue(sys.stderr) as lines:
            return _logged(options, log.logger(options.log_level, options.log_format, lines), lines)
    except UsageError as error:
        messages.usage(error.program, str(error))
        sys.exit(EXIT_USAGE)  # as argparse ends --help
    except ConfigError as error:
        for line in error.errors:
            messages.error("configuration rejected", line, _remedy(line, options))
        return EXIT_USAGE


def _logged(options: argparse.Namespace, logger: FilteringBoundLogger, lines: log.Queue | None = None) -> int:
    """Run what the command line asks for; what ends it is logged. Raises ConfigError and UsageError."""
    run_command: Command = options.command
    options.log_lines = lines
    log.silence_libraries(logger)
    log.take_over_complaints(logger)
    try:
        return run_command(options, logger)
    except (ConfigError, UsageError):
        raise
    except StorageError as error:
        _cannot_start(logger, str(error), remedies.of_storage(str(error)))
        return EXIT_FAILED
    except OSError as error:
        flag = "--simulator.listen-address" if run_command is _simulator else "--web.listen-address"
        _cannot_start(logger, error.strerror or str(error), remedies.of_address(error, flag))
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - a bug; its text and traceback can hold a secret
        logger.error("internal error", **log.origin(error))  # noqa: TRY400 - no traceback
        return EXIT_FAILED


def _cannot_start(logger: FilteringBoundLogger, error: str, remedy: str) -> None:
    logger.error("can't start", error=error, **({"remedy": remedy} if remedy else {}))


def _remedy(error: str, options: argparse.Namespace) -> str:
    """Return what to do about an error of the configuration, where that takes a flag."""
    files = {
        "--config.file": "config_file",
        "--web.config.file": "web_config_file",
        "--http.config.file": "http_config_file",
    }
    known = (
        remedies.of_configuration(error, flag, getattr(options, name, None)) for flag, name in files.items()
    )
    return next(filter(None, known), "")


def _daemon(options: argparse.Namespace, logger: FilteringBoundLogger) -> int:
    if options.config_check:
        return _check_config(options.config_file, options.web_config_file, Messages(options.log_format))
    with stop_signals_held():
        asyncio.run(_serve(options, logger))
    return EXIT_OK


def _check_config(path: Path, web_config: Path | None, messages: Messages) -> int:
    errors: list[str] = []
    try:
        config = load(path, os.environ)
    except ConfigError as error:
        errors += error.errors
    if web_config:
        from exporter.web.config import load_web_config

        try:
            load_web_config(web_config)
        except ConfigError as error:
            errors += error.errors
    if errors:
        raise ConfigError(tuple(errors))
    for remark in config.warnings:
        messages.warn(remark)
    count = len(config.accounts)
    text = f"{config.path}: {count} account{'' if count == 1 else 's'}, no errors"
    messages.info("configuration is sound", text, config=str(config.path), accounts=count)
    return EXIT_OK


async def _serve(options: argparse.Namespace, logger: FilteringBoundLogger) -> None:
    from exporter.daemon import daemon

    path = options.config_file
    await daemon.run(lambda: load(path, os.environ), _daemon_options(options, _storage_path(options)), logger)


def _check(options: argparse.Namespace, logger: FilteringBoundLogger) -> int:
    from exporter.cli import check, names

    config = load(options.config_file, os.environ)
    messages = Messages(options.log_format)
    if options.all:
        return _check_all(config, options, logger, messages)
    account, issuer = names.find(config, options.account), None
    if account is None and (found := names.find_issuer(config, options.account)):
        account, issuer = found
    if account is None:
        messages.error("unknown account", names.unknown(config, options.account))
        return EXIT_USAGE
    for remark in account.remarks:
        messages.warn(remark)
    path = _storage_path(options)
    checking = check.run(
        account,
        path,
        resume=options.resume,
        shape=options.shape,
        log=logger,
        calendar=config.calendar,
        command=command.check(options, path),
        issuer=issuer,
    )
    try:
        report = asyncio.run(checking)
    except KeyboardInterrupt:
        return EXIT_FAILED  # a script must not take it for an answer
    stdio.say(report.coloured() if _in_colour() else report.text)
    return EXIT_OK if report.ok else EXIT_FAILED


def _reject_what_contradicts(options: argparse.Namespace) -> None:
    """Raise UsageError where it isn't clear which accounts are meant."""
    program = f"{PROGRAM} check"
    if options.all and options.account is not None:
        raise UsageError(program, f"either an account or --all, got both: {options.account}")
    if options.all and options.resume:
        raise UsageError(program, "--resume takes one account, not --all")
    if not options.all and options.account is None:
        raise UsageError(program, "say which account: NAME, or --all")


def _check_all(
    config: Config, options: argparse.Namespace, logger: FilteringBoundLogger, messages: Messages
) -> int:
    from exporter.cli import check_all

    for remark in config.warnings:
        messages.warn(remark)
    path = _storage_path(options)
    progress = stdio.Progress(len(config.accounts))

    def tell(report: "Report") -> None:
        progress.clear()
        text = report.text if report.colour.name != "GOOD" else report.line
        stdio.say(report.in_colour(text) if _in_colour() else text)

    checking = check_all.run(
        config,
        path,
        logger,
        tuple(command.check(options, path)),
        tell=tell,
        progress=lambda number, account: progress.show(number, account.name),
    )
    try:
        summary = asyncio.run(checking)
    except KeyboardInterrupt:
        return EXIT_FAILED
    finally:
        progress.clear()
    stdio.say(summary.text)
    return EXIT_OK if summary.well else EXIT_FAILED


def _history(options: argparse.Namespace, logger: FilteringBoundLogger) -> int:
    from exporter.cli import history

    _check_source(options)
    config, messages = load(options.config_file, os.environ), Messages(options.log_format)
    path = _storage_path(options)
    if path is None:
        text = ":memory: keeps nothing: name the daemon's file with --storage.path"
        messages.error("history not imported", text)
        return EXIT_USAGE
    if options.from_prometheus:
        return _history_of_prometheus(options, config, path, logger)
    try:
        read = history.read(options.file, config)
    except history.RejectedError as error:
        for line in error.errors:
            messages.error("history rejected", line)
        return EXIT_USAGE
    for line in asyncio.run(history.store(read, path, logger)):
        stdio.say(line)
    return EXIT_OK


def _check_source(options: argparse.Namespace) -> None:
    """Raise UsageError where it isn't clear what ``history import`` is to import."""
    program = f"{PROGRAM} history"
    if (options.file is None) == (options.from_prometheus is None):
        raise UsageError(program, "either FILE or --from-prometheus=URL is needed")
    for flag, given in (("--match", options.match), ("--http.config.file", options.http_config_file)):
        if given and options.file:
            raise UsageError(program, f"{flag} has no effect without --from-prometheus")


def _history_of_prometheus(
    options: argparse.Namespace, config: Config, path: Path, logger: FilteringBoundLogger
) -> int:
    from exporter.cli import history
    from exporter.cli.http_config import HttpConfig, load_http_config
    from exporter.cli.prometheus import Prometheus, PrometheusError

    messages = Messages(options.log_format)
    access = load_http_config(options.http_config_file) if options.http_config_file else HttpConfig()
    for remark in access.warnings:
        messages.warn(remark)
    try:
        prometheus = Prometheus(options.from_prometheus, access)
    except PrometheusError as error:
        messages.error("history not imported", str(error), error.remedy)
        return EXIT_USAGE
    failed = False

    async def take() -> None:
        nonlocal failed
        async with prometheus:
            async for told in history.replayed(config, prometheus, options.match or "", path, logger):
                if isinstance(told, PrometheusError):
                    failed = True
                    messages.error("history not imported", str(told), told.remedy)
                else:
                    stdio.say(told)

    try:
        asyncio.run(take())
    except PrometheusError as error:
        messages.error("history not imported", str(error), error.remedy)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_FAILED  # a script must not take it for all that there is
    return EXIT_FAILED if failed else EXIT_OK


def _in_colour() -> bool:
    """Return whether colours are wanted: on a terminal, unless NO_COLOR (https://no-color.org) is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _demo(options: argparse.Namespace, logger: FilteringBoundLogger) -> int:
    with stop_signals_held():
        from exporter.cli import demo

        options.web_enable_lifecycle = True  # how else would anybody resume what keeps nothing
        asyncio.run(demo.run(_daemon_options(options, None), logger))
    return EXIT_OK


def _simulator(options: argparse.Namespace, logger: FilteringBoundLogger) -> int:
    from exporter.web.addresses import split_address

    host, port = split_address(options.simulator_listen_address)
    with stop_signals_held():
        from exporter.cli import demo

        running = demo.run_simulator(
            host,
            port,
            speed=options.simulator_speed,
            extra_accounts=options.simulator_accounts,
            extra_issuers=options.simulator_issuers,
            log=logger,
        )
        asyncio.run(running)
    return EXIT_OK


def _storage_path(options: argparse.Namespace) -> Path | None:
    """Return where the state is kept, by default beside the configuration; ``None`` for in memory."""
    if options.storage_path is None:
        return Path(options.config_file).with_name("state.db")
    return None if options.storage_path == Path(":memory:") else Path(options.storage_path)


def _daemon_options(options: argparse.Namespace, storage_path: Path | None) -> "Options":
    from exporter.daemon.daemon import Options

    return Options(
        listen_addresses=tuple(options.web_listen_address or (":10520",)),
        telemetry_path=options.web_telemetry_path,
        storage_path=storage_path,
        lifecycle=options.web_enable_lifecycle,
        auto_reload=options.config_auto_reload,
        web_config=options.web_config_file,
        resume=command.resume(options, storage_path),
        pace=options.pace,
        max_requests=options.web_max_requests,
        log_lines_dropped=lambda: options.log_lines.dropped,
    )
