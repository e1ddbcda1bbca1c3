"""Logging: one line for each event, logfmt or JSON, to stderr; constant texts with fields, UTC times.

Libraries' own texts never come out: at debug level zeep logs the envelope, password included. Of their
errors the kind and the place are told.
"""

import errno
import logging
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

Level = Literal["debug", "info", "warn", "error"]
Format = Literal["logfmt", "json"]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_FIRST = ("time", "level", "msg")

_AGAIN = 60.0  # seconds until the same error of a library is told again

# What these say of a request or an answer can hold a password: none of it is wanted.
_SILENT = ("zeep", "aiohttp", "asyncio", "urllib3", "requests")


def logger(
    level: Level = "info", form: Format = "logfmt", stream: TextIO | None = None
) -> FilteringBoundLogger:
    """Return a logger of its own: nothing of it is global but the silence of the libraries."""
    stream = stream or sys.stderr
    chosen: FilteringBoundLogger = structlog.wrap_logger(
        _Lines(stream),
        processors=_processors(form),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=True,
    )
    return chosen


class _Lines:
    """Writes lines to a stream. One that can't be written is lost: polling must not end for want of a line.

    The disk may be full, with the state on it as well, or nobody may read the pipe any more.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):  # the latter where it is closed
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = msg


def silence_libraries(log: FilteringBoundLogger) -> None:
    """Keep the libraries' records and warnings, which can hold secrets, out of every handler.

    Of an error ``log`` is told from which library, of which kind and from which place it is.
    """
    for name in _SILENT:
        library = logging.getLogger(name)
        library.handlers = [_Errors(log)]
        library.propagate = False
        library.setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="zeep")


class _Errors(logging.Handler):
    """Tells of a library's error without its text, and of the same one once a minute."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__(logging.ERROR)
        self._log = log
        self._told: dict[tuple[str, ...], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        kind = origin(error) if error else {"place": f"{record.filename}:{record.lineno}"}
        what, now = (record.name, *kind.values()), monotonic()
        if now - self._told.get(what, -_AGAIN) >= _AGAIN:
            self._told[what] = now
            self._log.error("library error", library=record.name, **kind)


def origin(error: BaseException) -> dict[str, str]:
    """Return the kind of an exception that nobody foresaw and where it was raised, as fields of an event.

    Its text isn't among them: it can hold anything, a password included.
    """
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown"
    kind = type(error)
    # A library's own OSErrors have numbers of its own.
    number = error.errno if isinstance(error, OSError) and kind.__module__ == "builtins" else None
    name = errno.errorcode.get(number or 0)
    return {"error": kind.__name__, **({"errno": name} if name else {}), "place": place}


def _processors(form: Format) -> list[Processor]:
    render: Processor
    if form == "json":
        render = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        render = structlog.processors.LogfmtRenderer(key_order=_FIRST, drop_missing=True, bool_as_flag=False)
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.EventRenamer("msg"),
        _named_as_usual,
        *([] if form == "json" else [_printable]),
        render,
    ]


def _printable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write control characters as escapes: structlog does so for the line feed alone."""
    return {key: _escaped(value) if isinstance(value, str) else value for key, value in event.items()}


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        one if one == "\n" or one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _named_as_usual(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the level as Prometheus does, and put the fields that each line has first."""
    if event["level"] == "warning":
        event["level"] = "warn"
    first = {key: event.pop(key) for key in _FIRST if key in event}
    return {**first, **event}
