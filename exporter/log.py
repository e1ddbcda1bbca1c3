"""Logging: one line for each event, logfmt or JSON, to stderr; constant texts with fields, UTC times.

Libraries' own texts never come out: at debug level zeep logs the envelope, password included. Of their
errors only the kind and the place are logged.
"""

import errno
import logging
import os
import select
import signal
import sys
import threading
import warnings
from collections import deque
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Final, Literal, Self, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

Level = Literal["debug", "info", "warn", "error"]
Format = Literal["logfmt", "json"]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_FIRST = ("time", "level", "msg")

_AGAIN = 60.0  # seconds until the same error of a library is logged again

QUEUED: Final = 1024 * 1024
"""Bytes of lines that wait for a reader of the log; lines beyond are dropped and counted."""

FLUSH: Final = 2.0
"""Seconds that the end of the process waits for the reader of the log."""

_WRITE: Final = 64 * 1024  # bytes of a write; at least one line

# What these say of a request or an answer can hold a password: none of it is wanted.
_SILENT = ("zeep", "aiohttp", "asyncio", "urllib3", "requests")


def logger(
    level: Level = "info", form: Format = "logfmt", stream: "TextIO | Queue | None" = None
) -> FilteringBoundLogger:
    """Return a logger of its own: nothing of it is global but the silence of the libraries."""
    stream = stream or sys.stderr
    chosen: FilteringBoundLogger = structlog.wrap_logger(
        stream if isinstance(stream, Queue) else _Lines(stream),
        processors=_processors(form),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=True,
    )
    return chosen


class _Lines:
    """Writes lines to a stream. One that can't be written is lost: a failing log must not end the polling.

    The disk may be full, with the state on it as well, or nobody may read the pipe any more.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):  # the latter where it is closed
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = msg


class Queue:
    """Writes lines to a stream in their order, from a thread of its own: logging never waits for a reader.

    A context manager, whose end writes what is queued, for ``FLUSH`` seconds at most. ``dropped`` is how many
    lines found no room, or couldn't be written. The stream must have a file descriptor.
    """

    def __init__(self, stream: TextIO) -> None:
        self.dropped = 0
        self._stream = stream
        self._lines: deque[bytes] = deque()
        self._size = 0  # bytes that aren't written yet
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._size, FLUSH)

    def msg(self, line: str) -> None:
        data = f"{line}\n".encode(self._stream.encoding, "backslashreplace")
        with self._changed:
            if self._size and self._size + len(data) > QUEUED:
                self.dropped += 1
                return
            self._lines.append(data)
            self._size += len(data)
            self._changed.notify_all()
            if self._thread is None:
                self._start()

    debug = info = warning = error = msg

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        # It must take no signal that the main thread wants to have wait.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self._thread.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                lines = [self._lines.popleft()]
                size = len(lines[0])
                while self._lines and size + len(self._lines[0]) <= _WRITE:
                    lines.append(self._lines.popleft())
                    size += len(lines[-1])
            try:
                _write(self._stream.fileno(), b"".join(lines))
            except (OSError, ValueError):  # the disk is full, nobody reads the pipe any more, it is closed
                lost = len(lines)
            else:
                lost = 0
            with self._changed:
                self.dropped += lost
                self._size -= size
                self._changed.notify_all()


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(file, left) :]
        except BlockingIOError:  # another process that has this stream made it so
            waiting = select.poll()
            waiting.register(file, select.POLLOUT)
            waiting.poll()


def silence_libraries(log: FilteringBoundLogger) -> None:
    """Keep the libraries' records and warnings, which can hold secrets, out of every handler.

    Of an error ``log`` gets the library, the kind and the place.
    """
    for name in _SILENT:
        library = logging.getLogger(name)
        library.handlers = [_Errors(log)]
        library.propagate = False
        library.setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="zeep")


def take_over_complaints(log: FilteringBoundLogger) -> None:
    """Log what Python itself would write to stderr, which can hold secrets and would wait for a reader.

    These are warnings, and errors that nobody can catch.
    """

    def show(
        message: Warning | str,  # noqa: ARG001 - it can hold anything
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG001
        line: str | None = None,  # noqa: ARG001
    ) -> None:
        log.warning("library warning", warning=category.__name__, place=f"{Path(filename).name}:{lineno}")

    def tell(error: BaseException | None) -> None:
        log.error("internal error", **(origin(error) if error else {}))

    warnings.showwarning = show
    sys.unraisablehook = lambda unraisable: tell(unraisable.exc_value)
    threading.excepthook = lambda failed: tell(failed.exc_value)


class _Errors(logging.Handler):
    """Logs a library's error without its text, and the same one once a minute at most."""

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
