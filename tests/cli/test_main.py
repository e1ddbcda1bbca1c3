"""The command line as a person or a supervisor meets it: texts, exit codes, colours, signals."""

import json
import os
import pty
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest

from exporter import __version__
from exporter.cli.main import main
from exporter.simulator import Simulator
from tests.support.configs import config, make_certificates
from tests.support.peers import DaemonFactory, eventually
from tests.support.peers.daemon import EXPORTER, START_SECONDS
from tests.support.peers.http import request
from tests.support.peers.loop import LoopThread
from tests.support.peers.process import Process
from tests.support.peers.tls import Authority
from tests.support.simulation import running

CONFIG = config("http://127.0.0.1:9/nobody?wsdl", "acme", "globex", interval="1h")
PROGRAM = "cfdi-stamps-exporter"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a sound configuration in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(
        [*EXPORTER, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **env},
    )


# Flags. These end before anything is started, so they are run in this process. -----------------------------

ADDRESS = "must be host:port, :port or [address]:port"
WRONG = [
    ("--config.fil=x", "", "unknown flag: --config.fil, did you mean --config.file?"),
    ("--config.fil x", "", "unknown flag: --config.fil, did you mean --config.file?"),
    ("--web.listen-adress :1", "", "unknown flag: --web.listen-adress, did you mean --web.listen-address?"),
    ("--config.file=x --resume check", "", "unknown flag: --resume"),
    ("--password=hunter2", "", "unknown flag: --password"),
    ("-x", "", "unknown flag: -x"),
    ("--config.file", "", "argument --config.file: expected one argument"),
    *(
        (f"{flag}={value}", "", f"argument {flag}: must be a file, got {value}")
        for flag in ("--config.file", "--storage.path", "--web.config.file")
        for value in ("", "/", ".")
    ),
    ("chekc", "", "unknown command: chekc, did you mean check?"),
    ("serve", "", "unknown command: serve"),
    ("check", " check", "say which account: NAME, or --all"),
    ("check a b", " check", "unknown argument: b"),
    ("check a --resum", " check", "unknown flag: --resum, did you mean --resume?"),
    ("check demo --resum", " check", "unknown flag: --resum, did you mean --resume?"),
    ("demo --config.file=x", " demo", "unknown flag: --config.file, did you mean --web.config.file?"),
    ("simulator --config.file x", " simulator", "unknown flag: --config.file"),
    (
        "simulator --simulator.sped=2",
        " simulator",
        "unknown flag: --simulator.sped, did you mean --simulator.speed?",
    ),
    *(
        (
            f"simulator --simulator.speed={value}",
            " simulator",
            f"argument --simulator.speed: must be a number above 0 and at most 86400, got {value}",
        )
        for value in ("0", "nan", "fast")
    ),
    (
        "simulator --simulator.accounts=-1",
        " simulator",
        "argument --simulator.accounts: must be a whole number up to 1000000, got -1",
    ),
    ("--web.listen-address=10520", "", f"argument --web.listen-address: {ADDRESS}, got 10520"),
    (
        "--web.telemetry-path=metrics",
        "",
        "argument --web.telemetry-path: must be a path such as /metrics, got metrics",
    ),
    *(
        (
            f"--web.telemetry-path={path}",
            "",
            f"argument --web.telemetry-path: {path} is the path of another page",
        )
        for path in ("/config", "/-/healthy", "/-/reload")
    ),
]


@pytest.mark.parametrize(("arguments", "command", "message"), WRONG)
def test_a_wrong_flag_is_one_line_with_a_suggestion_and_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: str, command: str, message: str
) -> None:
    """What is shown of a flag is its name: the value may be a secret."""
    (folder / "config.yaml").unlink()  # so that what is taken for right doesn't run
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    said = f"{PROGRAM}{command}: error: {message}\nTry {PROGRAM}{command} --help\n"
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("arguments", [["--log.level=loud"], ["check", "a", "--log.format=xml"]])
def test_a_choice_that_is_none_is_told_with_the_choices(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert re.search("invalid choice: '(loud|xml)' .*(info|logfmt)", said)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    python = ".".join(map(str, sys.version_info[:3]))
    assert capsys.readouterr().out == f"{PROGRAM}, version {__version__} (Python {python})\n"


FLAGS = [
    *("--config.file", "--config.check", "--config.auto-reload", "--storage.path", "--version"),
    *("--web.listen-address", "--web.config.file", "--web.telemetry-path", "--web.enable-lifecycle"),
    "--web.max-requests",
    *("--log.level", "--log.format"),
]


@pytest.mark.parametrize("columns", [80, 100, 200])
@pytest.mark.parametrize("command", [[], ["check"], ["demo"], ["simulator"]])
def test_the_help_fits_a_screen_and_explains(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int, command: list[str]
) -> None:
    """At most 40 lines, none longer than the terminal is wide or than reads well; each flag has a text."""
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 40
    assert all(line == "" or line.strip() for line in lines), "a line of blanks"
    assert "\n\n\n" not in "\n".join(lines)
    assert max(map(len, lines)) <= min(columns, 100)
    shown = "\n".join(lines)
    for flag in [] if command else FLAGS:
        assert re.search(rf"^  {flag}( [A-Z]+)?\s+\w", shown, re.MULTILINE), f"{flag} isn't explained"
    if not command:
        for name in ("check", "demo", "simulator"):
            assert re.search(rf"^ +{name} {{5,}}\w", shown, re.MULTILINE)


# The configuration. ---------------------------------------------------------------------------------------


@pytest.mark.process
def test_a_sound_configuration_passes_the_check(folder: Path) -> None:
    """Exit code 0, a line that says what was read; nothing is opened, made or written."""
    before = sorted(folder.iterdir())
    done = run("--config.check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "config.yaml: 2 accounts, no errors\n", "")
    assert sorted(folder.iterdir()) == before


@pytest.mark.process
def test_all_errors_of_both_files_are_said_at_once(folder: Path) -> None:
    """Exit code 2, on stderr, without a time or a level: for a person."""
    (folder / "config.yaml").write_text("accounts: [{name: '', username: u, password: hunter2}]\nx: y\n")
    (folder / "web.yml").write_text("rate_limit: {}\nbasic_auth_users: {alice: hunter2}\n")
    done = run("--config.check", "--web.config.file=web.yml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "config.yaml:1: accounts[0].name: must not be empty",
        "config.yaml:2: x: unknown key",
        "web.yml:1: rate_limit: is not supported by this exporter",
        "web.yml:2: basic_auth_users: the password of alice must be a bcrypt hash, as htpasswd -nB makes it",
    ]


@pytest.mark.process
def test_the_web_configuration_belongs_to_the_check(folder: Path) -> None:
    make_certificates(folder)
    (folder / "web.yml").write_text("tls_server_config: {cert_file: client.pem, key_file: client.key}\n")
    assert run("--config.check", "--web.config.file=web.yml").returncode == 0
    (folder / "client.key").unlink()
    done = run("--config.check", "--web.config.file=web.yml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "web.yml:1: tls_server_config.key_file: No such file or directory\n"


@pytest.mark.process
def test_no_plugin_of_pydantic_sees_the_configuration(folder: Path) -> None:
    """Not even one of the environment's choice: it would be shown every password."""
    (folder / "eavesdropper.py").write_text("print('I am listening')\nplugin = None\n")
    (about := folder / "eavesdropper-1.0.dist-info").mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: eavesdropper\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[pydantic]\neavesdropper = eavesdropper:plugin\n")
    done = run("--config.check", PYTHONPATH=str(folder), PYDANTIC_DISABLE_PLUGINS="")
    assert done.stdout == "config.yaml: 2 accounts, no errors\n"


REMEDY = (
    "name yours with --config.file, copy config.example.yaml, or look around first: cfdi-stamps-exporter demo"
)


@pytest.mark.process
@pytest.mark.parametrize("arguments", [[], ["--config.check"], ["check", "acme"]])
def test_a_configuration_that_is_missing(arguments: list[str]) -> None:
    done = run("--config.file=missing.yaml", "--web.listen-address=127.0.0.1:0", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    # The daemon listens by then, and has said so.
    assert done.stderr.splitlines()[-1] == f"missing.yaml: No such file or directory: {REMEDY}"


@pytest.mark.process
def test_a_bad_web_configuration_is_told_before_anything_is_served(folder: Path) -> None:
    (folder / "web.yml").write_text("rate_limit: {}\n")
    done = run("--web.config.file=web.yml", "--web.listen-address=127.0.0.1:0")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "web.yml:1: rate_limit: is not supported by this exporter"
    assert "msg=listening" not in done.stderr


# What can't be had. ---------------------------------------------------------------------------------------


@pytest.mark.process
def test_a_storage_that_can_not_be_used_is_exit_code_1(folder: Path) -> None:
    """One line; the daemon and a check alike."""
    (folder / "state.db").write_text("this is no database, and long enough to be told from one")
    for command in (["--web.listen-address=127.0.0.1:0"], ["check", "acme"]):
        done = run(*command)
        assert (done.returncode, done.stdout) == (1, "")
        (error,) = [line for line in done.stderr.splitlines() if "level=error" in line]
        assert error.endswith(
            'error="state.db: can\'t be used: file is not a database; --storage.path can name another place"'
        )
        assert 'msg="can\'t start"' in error


@pytest.fixture
def taken() -> Iterator[str]:
    """An address that somebody else listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as holder:
        yield f"127.0.0.1:{holder.getsockname()[1]}"


@pytest.mark.process
@pytest.mark.parametrize("command", [[], ["demo"], ["--web.listen-address=127.0.0.1:0", "demo"]])
def test_a_port_that_is_taken_is_exit_code_1(taken: str, command: list[str]) -> None:
    done = run(*command, f"--web.listen-address={taken}")
    assert (done.returncode, done.stdout) == (1, "")
    (error,) = [line for line in done.stderr.splitlines() if "level=error" in line]
    assert error.endswith(
        f'msg="can\'t start" error="can\'t listen on {taken}: Address already in use" '
        'remedy="another program listens there, perhaps this one: choose another with --web.listen-address"'
    )


@pytest.mark.process
def test_the_simulator_says_so_too(taken: str) -> None:
    done = run("simulator", f"--simulator.listen-address={taken}")
    assert done.returncode == 1
    assert done.stderr.count("level=error") == 1
    assert "ddress already in use" in done.stderr
    assert "choose another with --simulator.listen-address" in done.stderr


@pytest.mark.process
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing/state.db", "No such file or directory"),
        ("config.yaml/state.db", "Not a directory"),
        ("folder", "Is a directory"),
        ("/proc/state.db", "No such file or directory"),
        ("/sys/state.db", "Permission denied|Read-only file system"),
    ],
)
def test_a_storage_that_can_not_be_had_says_how_to_name_another(folder: Path, path: str, reason: str) -> None:
    (folder / "folder").mkdir()
    for command in (["--web.listen-address=127.0.0.1:0"], ["check", "acme"]):
        done = run(f"--storage.path={path}", *command)
        assert (done.returncode, done.stdout) == (1, "")
        (error,) = [line for line in done.stderr.splitlines() if "level=error" in line]
        assert re.search(reason, error)
        assert 'remedy="user ' in error
        assert "--storage.path" in error


@pytest.mark.process
@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("192.0.2.1:0", "this machine has no such address: choose another with --web.listen-address"),
        ("nobody.invalid:0", "no such host: choose another with --web.listen-address"),
    ],
)
def test_an_address_that_can_not_be_had_says_how_to_choose_another(address: str, remedy: str) -> None:
    done = run(f"--web.listen-address={address}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f'remedy="{remedy}"')


@pytest.mark.process
def test_a_configuration_that_is_no_file_says_how_to_name_another(folder: Path) -> None:
    for name, error in {
        "folder": "Is a directory: name the file in it with --config.file",
        "config.yaml/config.yaml": f"Not a directory: {REMEDY}",
    }.items():
        (folder / "folder").mkdir(exist_ok=True)
        done = run(f"--config.file={name}", "--config.check")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{name}: {error}\n")
    done = run("--config.check", "--web.config.file=web.yml")
    assert done.stderr == "web.yml: No such file or directory: name yours with --web.config.file\n"


# The format of the log is that of everything. --------------------------------------------------------------

BAD = "accounts: [{name: '', username: u, password: hunter2}]\nx: y\n"
JSON = "--log.format=json"


def lines(text: str) -> list[dict[str, object]]:
    """Parse JSON lines and take the time off each."""
    events = [json.loads(line) for line in text.splitlines()]
    assert all(event.pop("time") for event in events)
    return events


@pytest.mark.process
@pytest.mark.parametrize(
    "arguments",
    [
        (JSON, "--config.check"),
        (JSON, "--web.listen-address=127.0.0.1:0"),
        ("check", "acme", "--log.format", "json"),
        (JSON, "check", "acme"),
    ],
)
def test_errors_of_the_configuration_are_json_where_the_log_is(
    folder: Path, arguments: Sequence[str]
) -> None:
    """One line for each error: whatever reads the log can read why it didn't start."""
    (folder / "config.yaml").write_text(BAD)
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert [event for event in lines(done.stderr) if event["level"] == "error"] == [
        {"level": "error", "msg": "configuration rejected", "error": error}
        for error in ("config.yaml:1: accounts[0].name: must not be empty", "config.yaml:2: x: unknown key")
    ]


@pytest.mark.process
def test_what_the_check_of_a_configuration_says_is_json_too(folder: Path) -> None:
    (folder / "config.yaml").write_text("accounts: [{name: acme, username: u, password: '${HUNTER}'}]\n")
    done = run(JSON, "--config.check")
    assert done.returncode == 0
    assert lines(done.stderr) == [
        {
            "level": "warn",
            "msg": "configuration",
            "remark": "config.yaml: accounts[0].password: the password looks like a template that was never "
            "filled in: unless that is meant, each login fails and counts",
        }
    ]
    assert lines(done.stdout) == [
        {"level": "info", "msg": "configuration is sound", "config": "config.yaml", "accounts": 1}
    ]


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "error", "remedy"),
    [
        ((JSON, "--bogus"), "unknown flag: --bogus", "try cfdi-stamps-exporter --help"),
        (("--bogus", "--log.format", "json"), "unknown flag: --bogus", "try cfdi-stamps-exporter --help"),
        ((JSON, "check", "a", "b"), "unknown argument: b", "try cfdi-stamps-exporter check --help"),
        (("check", JSON, "acmee"), "config.yaml: no account is called acmee, did you mean acme?", None),
        (
            (JSON, "--config.file=missing.yaml", "--config.check"),
            "missing.yaml: No such file or directory",
            REMEDY,
        ),
    ],
)
def test_other_errors_are_json_too(arguments: Sequence[str], error: str, remedy: str | None) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (event,) = lines(done.stderr)
    assert (event["level"], event["error"], event.get("remedy")) == ("error", error, remedy)


@pytest.mark.process
@pytest.mark.parametrize(
    "arguments", [("--log.format=xml",), (JSON, "--log.format=logfmt", "--bogus"), ("--", JSON)]
)
def test_where_no_json_is_asked_for_a_wrong_flag_is_told_to_a_person(arguments: Sequence[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("cfdi-stamps-exporter: error: ")


# check. ---------------------------------------------------------------------------------------------------


WARNED = (
    "config.yaml: accounts[0].password_file: the password in secret ends with a line end: "
    "unless that is meant, each login fails and counts"
)


def test_what_will_cost_a_login_is_warned_of(folder: Path, daemon: DaemonFactory) -> None:
    """By the check of the configuration, by the check of that account before it asks, and at a start."""
    (folder / "secret").write_text("hunter2\n\n")
    text = re.sub("password: [^}]+", "password_file: secret", CONFIG, count=1)
    (folder / "config.yaml").write_text(text)
    assert run("--config.check").stderr == f"warning: {WARNED}\n"
    assert run("check", "acme").stderr == f"warning: {WARNED}\n"
    assert run("check", "globex").stderr == ""
    exporter = daemon(text)
    said = f"accounts[0].password_file: the password in {folder / 'secret'} ends with a line end"
    eventually(lambda: said in exporter.log)
    (line,) = [line for line in exporter.log.splitlines() if said in line]
    assert "level=warn msg=configuration remark=" in line
    assert "hunter" not in exporter.log


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("acmee", ", did you mean acme?"), ("Globex", ", did you mean globex?"), ("initech", ""), ("", "")],
)
def test_a_check_of_nobody_is_exit_code_2_with_a_suggestion(name: str, suggestion: str) -> None:
    done = run("check", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"config.yaml: no account is called {name}{suggestion}\n"


GREEN, YELLOW, RED = 32, 33, 31


def on_terminal(*arguments: str, **env: str) -> str:
    """Run the program on a terminal and return what it writes there."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*EXPORTER, *arguments],
        stdin=child,
        stdout=child,
        stderr=subprocess.DEVNULL,
        env={
            **{key: value for key, value in os.environ.items() if key != "NO_COLOR"},
            "TERM": "xterm",
            **env,
        },
    )
    os.close(child)
    shown = b""
    try:
        while piece := os.read(parent, 4096):
            shown += piece
    except OSError:  # so a terminal ends on Linux
        pass
    finally:
        os.close(parent)
        process.wait(30)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.process
def test_a_check_is_in_colour_on_a_terminal_and_plain_elsewhere(folder: Path) -> None:
    """Green, yellow or red by what the answer means; without the colours the text is the same."""
    simulator = Simulator()
    low = simulator.accounts["low@demo.example"]
    low.life = replace(low.life, contracted=1000, used=700, per_day=0)
    names = ("healthy", "low", "wrong-password")
    with running(simulator):
        text = config(simulator.wsdl_url, *(f"{name}@demo.example" for name in names), interval="1h")
        text = text.replace("password: ", "thresholds: {warning: 500, critical: 100}, password: ")
        (folder / "config.yaml").write_text(text)
        check = ("--storage.path=:memory:", "check")
        shown = {name: on_terminal(*check, name) for name in names}
        colours = [int(text.partition("m")[0].removeprefix("\x1b[")) for text in shown.values()]
        assert colours == [GREEN, YELLOW, RED]
        piped = run(*check, "low")
        assert piped.returncode == 0
        assert re.sub(r"\x1b\[\d+m", "", shown["low"]) == piped.stdout
        assert [line.strip() for line in piped.stdout.splitlines()[1:5]] == [
            "contracted        1,000",
            "used                700",
            "available           300",
            "That is below the warning threshold of 500.",
        ]
        for variable in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            assert on_terminal(*check, "low", **variable) == piped.stdout
        refused = run(*check, "wrong-password")
        assert (refused.returncode, "\x1b" in refused.stdout) == (1, False)


# Output that goes nowhere. --------------------------------------------------------------------------------


def shell(line: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which $0 is the program, with Python's output buffered as by default."""
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return subprocess.run(
        ["sh", "-c", line.replace("$0", '"$0" -m exporter'), sys.executable],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**buffered, **env},
    )


UNBUFFERED = {"PYTHONUNBUFFERED": "1"}


@pytest.mark.process
@pytest.mark.parametrize("env", [{}, UNBUFFERED])
@pytest.mark.parametrize("arguments", ["--help", "--version", "--config.check"])
def test_a_reader_that_has_seen_enough_is_no_error(arguments: str, env: dict[str, str]) -> None:
    """As in `--help | head -1`: the exit code is what it would have been, and nobody complains."""
    done = shell(f"{{ sleep 0.2; $0 {arguments}; echo $? >&3; }} 3>&2 | :", **env)
    assert done.stderr == "0\n"


@pytest.mark.process
@pytest.mark.parametrize("env", [{}, UNBUFFERED])
def test_a_full_disk_is_an_error(env: dict[str, str]) -> None:
    """What a script reads from that file isn't all of it."""
    done = shell("$0 --config.check >/dev/full", **env)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr


@pytest.mark.process
def test_closed_output_changes_no_exit_code() -> None:
    """Nor does anything else, such as the storage, come to stand where errors are written to."""
    assert shell("$0 --config.check >&-").returncode == 0
    assert shell("$0 --config.check 2>&-").stdout == "config.yaml: 2 accounts, no errors\n"
    assert shell("$0 --bogus 2>&-").returncode == 2
    assert shell("$0 check acme <&- >&- 2>&-").returncode == 1
    done = shell("$0 check acmee 2>&-")
    assert (done.returncode, done.stdout) == (2, "")
    done = shell("$0 check acme >&-")
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.process
def test_letters_that_the_output_lacks_are_escaped(folder: Path) -> None:
    (folder / "config.yaml").write_text(CONFIG.replace("name: acme", 'name: "ñandú 📨"'))
    done = run("check", "ñandú 📨", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(r"\xf1and\xfa \U0001f4e8: no answer (connection)")
    assert "Soluci\\xf3n" in run("--help", PYTHONIOENCODING="ascii").stdout


# The process. ---------------------------------------------------------------------------------------------


@pytest.mark.process
def test_a_signal_at_any_moment_of_the_start_ends_it_in_good_order(folder: Path) -> None:
    """20 moments from the first line of our code on, 0.05 s apart: exit code 0, no traceback."""
    launcher = "from exporter.cli.main import run; print('begun', flush=True); run()"

    def one(number: int) -> tuple[int, str]:
        log = folder / f"start-{number}.log"
        flags = [f"--storage.path=state-{number}.db", "--web.listen-address=127.0.0.1:0"]
        process = Process([sys.executable, "-c", launcher, *flags], log, cwd=folder, env={})
        process.await_log(lambda said: "begun" in said or None, START_SECONDS)
        time.sleep(number * 0.05)
        return process.stop((SIGTERM, SIGINT)[number % 2]), process.log

    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(one, range(20)))
    assert [code for code, _ in ends] == [0] * 20, ends
    assert not any("Traceback" in said or "level=error" in said for _, said in ends), ends


@pytest.mark.process
@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
@pytest.mark.parametrize("command", [(), ("demo",), ("simulator", "--simulator.listen-address=127.0.0.1:0")])
def test_a_signal_while_the_loop_is_made_waits_for_it(
    folder: Path, command: Sequence[str], number: Signals
) -> None:
    """Thrown into the middle of that it would leave half a loop behind, which complains with a traceback."""
    launcher = (
        "import asyncio.base_events as base, signal\n"
        "make = base.BaseEventLoop.__init__\n"
        f"base.BaseEventLoop.__init__ = lambda loop: (signal.raise_signal({number}), make(loop))[1]\n"
        "from exporter.cli.main import run; run()"
    )
    flags = [] if "simulator" in command else ["--storage.path=:memory:", "--web.listen-address=127.0.0.1:0"]
    done = subprocess.run(
        [sys.executable, "-c", launcher, *flags, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.process
@pytest.mark.parametrize("command", ["demo", "simulator"])
def test_the_other_commands_end_in_good_order_too(folder: Path, command: str) -> None:
    for number, signal in enumerate((SIGTERM, SIGINT)):
        flag = {"demo": "--web.listen-address", "simulator": "--simulator.listen-address"}[command]
        log = folder / f"{command}-{number}.log"
        process = Process([*EXPORTER, command, f"{flag}=127.0.0.1:0"], log, cwd=folder, env={})
        process.await_log(lambda said: "SIMULATED" in said or None, 20)
        assert process.stop(signal, 5) == 0, process.log
        assert "Traceback" not in process.log


@pytest.mark.process
@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&1 | :", "<&- >&- 2>&-"])
def test_a_log_that_can_not_be_written_ends_nothing(folder: Path, redirection: str) -> None:
    """Its disk is full, its reader has gone, or there is none: it polls, serves, and stops in good order."""
    with closing(socket.create_server(("127.0.0.1", 0))) as given:
        address = f"127.0.0.1:{given.getsockname()[1]}"
    flags = f"--storage.path=:memory: --log.level=debug --web.listen-address={address}"
    daemon = f'echo $$ > pid; exec "$0" -m exporter {flags}'
    line = f"(sleep 0.2; sh -c '{daemon}' \"$0\"; echo $? > code) {redirection}"
    with running(simulator := Simulator()):
        (folder / "config.yaml").write_text(config(simulator.wsdl_url, "healthy@demo.example"))
        process = Process(["sh", "-c", line, sys.executable], folder / "log", cwd=folder, env={})
        try:
            eventually(lambda: is_polled(address))
            os.kill(int((folder / "pid").read_text()), SIGTERM)
            eventually(lambda: (folder / "code").exists() and (folder / "code").read_text())
        finally:
            process.kill()
    assert (folder / "code").read_text() == "0\n"


def is_polled(address: str) -> bool:
    try:
        return 'cfdi_account_up{account="healthy"} 1' in request(address, "/metrics").text
    except ConnectionError:
        return False


def test_variables_that_are_meant_for_others_have_no_effect(
    folder: Path, daemon: DaemonFactory, tmp_path: Path
) -> None:
    """A directory for the metrics of another program, and a file for the keys with which TLS can be read."""
    authority = Authority(tmp_path)
    server = authority.issue("server")
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert_file, server.key_file)
    simulator = Simulator()
    (metrics := folder / "metrics").mkdir()
    keys = folder / "keys.log"
    with LoopThread("simulator") as loop:
        loop.run(simulator.start(ssl_context=context))
        tls = f", tls_config: {{ca_file: {authority.ca_file}}}"
        exporter = daemon(
            config(simulator.wsdl_url, "healthy@demo.example", environment=tls),
            env={"PROMETHEUS_MULTIPROC_DIR": str(metrics), "SSLKEYLOGFILE": str(keys)},
        )
        eventually(lambda: is_polled(exporter.address))
        loop.run(simulator.stop())
    assert list(metrics.iterdir()) == []
    assert not keys.exists()


def test_it_may_open_as_many_files_as_the_system_allows(daemon: DaemonFactory) -> None:
    """A connection is a file, and the limit of a shell is low: it is raised, as Go programs do."""
    shell = ("sh", "-c", 'ulimit -S -n 256; exec "$@"', "sh", *EXPORTER)
    exporter = daemon(CONFIG, command=shell)
    limits = Path(f"/proc/{exporter.pid}/limits")
    if not limits.exists():
        pytest.skip("needs /proc")
    (soft, hard) = re.search(r"Max open files +(\d+) +(\d+)", limits.read_text()).groups()  # type: ignore[union-attr]
    assert soft == hard != "256"
    host, port = exporter.address.split(":")
    clients = [socket.create_connection((host, int(port))) for _ in range(400)]
    assert exporter.get("/metrics").status == 200
    for client in clients:
        client.close()
    eventually(lambda: exporter.get("/-/healthy").status == 200)
