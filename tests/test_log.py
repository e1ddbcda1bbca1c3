"""The log's lines, exactly; and that libraries add none."""

import errno
import io
import json
import logging
import os
import re
import threading
import time
import warnings
from collections.abc import Iterator
from typing import TextIO

import pytest

from exporter.log import QUEUED, Format, Level, Queue, logger, silence_libraries, take_over_complaints
from tests.support.peers.logfmt import fields

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
LIBRARIES = ["zeep", "aiohttp", "asyncio", "urllib3", "requests"]
# What zeep logs the envelope with, and those of aiohttp's loggers that say something of a request.
NOISY = [
    *LIBRARIES,
    "zeep.transports",
    "zeep.wsdl.bindings.soap",
    "aiohttp.client",
    "aiohttp.server",
    "aiohttp.access",
]


def lines(level: Level, form: Format, *events: tuple[str, str, dict[str, object]]) -> list[str]:
    """What is logged of some events (method, text, fields), with the time taken out."""
    stream = io.StringIO()
    log = logger(level, form, stream)
    for method, event, values in events:
        getattr(log, method)(event, **values)
    text = stream.getvalue()
    assert not text or text.endswith("\n")
    return [re.sub(TIME, "TIME", line) for line in text.split("\n")[:-1]]


LOGFMT: list[tuple[str, dict[str, object], str]] = [
    ("ready", {}, "msg=ready"),
    (
        "poll failed",
        {"account": "acme", "reason": "timeout"},
        'msg="poll failed" account=acme reason=timeout',
    ),
    ("order is kept", {"z": 1, "a": 2}, 'msg="order is kept" z=1 a=2'),
    ("numbers", {"code": 601, "seconds": 0.5}, "msg=numbers code=601 seconds=0.5"),
    ("nothing", {"account": None}, "msg=nothing account="),
    ("spaces", {"detail": "no connection: a b"}, 'msg=spaces detail="no connection: a b"'),
    ("equals", {"detail": "a=b"}, 'msg=equals detail="a=b"'),
    ("quotes", {"detail": 'say "a"'}, r'msg=quotes detail="say \"a\""'),
    ("quote alone", {"detail": '"'}, r'msg="quote alone" detail="\""'),
    ("backslash", {"detail": "a\\b c"}, r'msg=backslash detail="a\\b c"'),
    (
        "line end",
        {"detail": "a\nlevel=error msg=forged"},
        r'msg="line end" detail="a\nlevel=error msg=forged"',
    ),
    ("unicode", {"account": "ñandú"}, "msg=unicode account=ñandú"),
    ("false", {"done": False}, "msg=false done=false"),
]


@pytest.mark.parametrize(("event", "values", "expected"), LOGFMT, ids=[case[0] for case in LOGFMT])
def test_a_line_in_logfmt(event: str, values: dict[str, object], expected: str) -> None:
    assert lines("info", "logfmt", ("info", event, values)) == [f"time=TIME level=info {expected}"]


def test_a_true_value_is_a_field_with_a_value() -> None:
    """Readers of logfmt, and people who search for ``key=``, look for one."""
    assert lines("info", "logfmt", ("info", "saved", {"done": True})) == [
        "time=TIME level=info msg=saved done=true"
    ]


@pytest.mark.parametrize(
    "text", ["\r", "a\rb", "a\x1b[31mb", "a\x00b", "a\u2028b", "a\tb", "a\x85b"], ids=ascii
)
def test_no_value_breaks_a_line_or_drives_a_terminal(text: str) -> None:
    """A username or a path can hold anything."""
    (line,) = lines("info", "logfmt", ("info", "odd", {"detail": text}))
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_a_line_in_json() -> None:
    stream = io.StringIO()
    logger("info", "json", stream).warning(
        "poll failed", account='a"ñ', code=601, detail="a\nb", none=None, done=True
    )
    line = stream.getvalue()
    assert re.sub(TIME, "TIME", line) == (
        '{"time": "TIME", "level": "warn", "msg": "poll failed", "account": "a\\"ñ", "code": 601, '
        '"detail": "a\\nb", "none": null, "done": true}\n'
    )
    assert json.loads(line)["account"] == 'a"ñ'


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_levels_have_prometheus_names_in_each_form(form: Format) -> None:
    methods = ["debug", "info", "warning", "error"]
    written = lines("debug", form, *((method, "x", {}) for method in methods))
    assert [fields(line)["level"] for line in written] == ["debug", "info", "warn", "error"]


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "warn", "error"]),
        ("info", ["info", "warn", "error"]),
        ("warn", ["warn", "error"]),
        ("error", ["error"]),
    ],
)
def test_a_level_hides_what_is_below_it(level: Level, shown: list[str]) -> None:
    methods = ["debug", "info", "warning", "error"]
    written = lines(level, "logfmt", *((method, "x", {}) for method in methods))
    assert [fields(line)["level"] for line in written] == shown


def test_the_default_is_logfmt_from_info_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    log = logger()
    log.debug("hidden")
    log.info("shown")
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(rf"time={TIME} level=info msg=shown\n", err)


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """What a supervisor reads of a process' stderr: the end to read, and the other as a stream."""
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        yield read, stream
    os.close(read)


def test_queued_lines_come_in_their_order(pipe: tuple[int, TextIO]) -> None:
    read, stream = pipe
    with Queue(stream) as queue:
        log = logger(stream=queue)
        for number in range(300):
            log.info("line", number=number)
    assert queue.dropped == 0
    lines = os.read(read, 60_000).decode().splitlines()
    assert [fields(line)["number"] for line in lines] == [str(number) for number in range(300)]


def test_who_logs_never_waits_and_what_finds_no_room_is_counted(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads: the oldest lines are kept, the end is soon, and the memory bounded."""
    monkeypatch.setattr("exporter.log.FLUSH", 0.2)
    read, stream = pipe
    text = "x" * 1000
    begun = time.monotonic()
    with Queue(stream) as queue:
        log = logger(stream=queue)
        for number in range(3000):
            log.info("line", number=number, text=text)
    assert time.monotonic() - begun < 10
    kept = 3000 - queue.dropped
    assert 0.9 * QUEUED < kept * 1050 < 1.2 * (QUEUED + 200_000)
    received = b""
    while received.count(b"\n") < kept:
        received += os.read(read, 1 << 20)
    assert [fields(line)["number"] for line in received.decode().splitlines()] == [
        str(number) for number in range(kept)
    ]


def test_lines_that_can_not_be_written_are_counted() -> None:
    with open("/dev/full", "w", encoding="ascii", buffering=1) as full, Queue(full) as queue:
        logger(stream=queue).info("lost", name="ñ")
    assert queue.dropped == 1


def test_a_stream_that_others_made_not_to_block_gets_all_lines(pipe: tuple[int, TextIO]) -> None:
    """As a shell or a terminal may leave it: that it is full for a moment is no error."""
    read, stream = pipe
    os.set_blocking(stream.fileno(), False)
    with Queue(stream) as queue:
        for _ in range(200):
            queue.msg("x" * 999)
        received = 0
        while received < 200_000:
            received += len(os.read(read, 1 << 16))
    assert queue.dropped == 0


@pytest.mark.usefixtures("restored_loggers", "restored_libraries")
@pytest.mark.filterwarnings("default")
def test_what_python_itself_complains_of_is_logged_without_its_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    told = io.StringIO()
    take_over_complaints(logger(stream=told))

    class Broken:
        def __del__(self) -> None:
            raise ValueError("s3cret")

    def fail() -> None:
        raise KeyError("s3cret")

    warnings.warn("s3cret", UserWarning, stacklevel=1)
    del (broken := [Broken()])[0]
    assert not broken
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert capfd.readouterr() == ("", "")
    assert "s3cret" not in told.getvalue()
    lines = map(fields, told.getvalue().splitlines())
    told_of = [(line["msg"], line.get("error", line.get("warning"))) for line in lines]
    assert told_of == [
        ("library warning", "UserWarning"),
        ("internal error", "ValueError"),
        ("internal error", "KeyError"),
    ]


def test_two_loggers_share_nothing() -> None:
    first, second = io.StringIO(), io.StringIO()
    one, other = logger("error", "json", first), logger("debug", "logfmt", second)
    one.info("hidden")
    other.debug("shown")
    assert first.getvalue() == ""
    assert "msg=shown" in second.getvalue()


@pytest.fixture
def restored_loggers() -> Iterator[None]:
    """Silence is for the whole process: other tests want to hear the libraries again."""
    before = [
        (library, library.handlers, library.propagate, library.level)
        for library in map(logging.getLogger, LIBRARIES)
    ]
    yield
    for library, handlers, propagate, level in before:
        library.handlers, library.propagate = handlers, propagate
        library.setLevel(level)


@pytest.mark.usefixtures("restored_loggers")
@pytest.mark.parametrize("name", NOISY)
def test_libraries_records_reach_neither_stderr_nor_any_handler(
    name: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """zeep logs the whole envelope at debug level, password included."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger(name.partition(".")[0]).addHandler(logging.StreamHandler())
    told = io.StringIO()
    silence_libraries(logger("debug", "logfmt", told))
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        logging.getLogger(name).log(level, "<password>s3cret</password>")
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
    assert told.getvalue() == ""


@pytest.mark.usefixtures("restored_loggers")
@pytest.mark.parametrize("name", NOISY)
def test_of_a_library_s_error_the_kind_and_the_place_are_told(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A page that breaks must leave a trace, and its text can hold anything."""
    told = io.StringIO()
    silence_libraries(logger("info", "logfmt", told))
    logging.getLogger(name).error("<password>s3cret</password>")
    try:
        int("<password>s3cret</password>")
    except ValueError:
        logging.getLogger(name).exception("<password>s3cret</password>")
    assert capfd.readouterr() == ("", "")
    plain, raised = told.getvalue().splitlines()
    begin = f'time={TIME} level=error msg="library error" library={name}'
    assert re.fullmatch(rf"{begin} place=test_log.py:\d+", plain)
    assert re.fullmatch(rf"{begin} error=ValueError place=test_log.py:\d+", raised)


@pytest.mark.usefixtures("restored_loggers")
def test_a_library_s_error_is_told_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of files, asyncio tells a thousand times a second that it can't accept: that would fill a disk."""
    now = 1000.0
    monkeypatch.setattr("exporter.log.monotonic", lambda: now)
    told = io.StringIO()
    silence_libraries(logger("info", "logfmt", told))

    def fail(name: str, error: Exception) -> None:
        try:
            raise error
        except OSError:
            logging.getLogger(name).exception("<password>s3cret</password>")

    for _ in range(1000):
        fail("asyncio", OSError(errno.EMFILE, "<password>s3cret</password>"))
        fail("asyncio", OSError(errno.ENFILE, "<password>s3cret</password>"))
        fail("aiohttp", OSError("<password>s3cret</password>"))
        now += 0.05  # 50 s in all
    assert len(told.getvalue().splitlines()) == 3
    now += 11
    fail("asyncio", OSError(errno.EMFILE, "<password>s3cret</password>"))
    begin = f'time={TIME} level=error msg="library error" library'
    for line, expected in zip(
        told.getvalue().splitlines(),
        (
            r"=asyncio error=OSError errno=EMFILE place=test_log.py:\d+",
            r"=asyncio error=OSError errno=ENFILE place=test_log.py:\d+",
            r"=aiohttp error=OSError place=test_log.py:\d+",
            r"=asyncio error=OSError errno=EMFILE place=test_log.py:\d+",
        ),
        strict=True,
    ):
        assert re.fullmatch(begin + expected, line)


@pytest.mark.usefixtures("restored_loggers")
def test_the_exporter_s_own_log_is_not_silenced() -> None:
    silence_libraries(logger())
    assert lines("info", "logfmt", ("info", "x", {})) == ["time=TIME level=info msg=x"]
