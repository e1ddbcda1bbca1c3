"""The configuration: what is rejected, and how it is said."""

import os
from pathlib import Path

import pytest
import yaml

from exporter.config import ConfigError, load
from tests.support.configs import CONFIGS, errors_of

SNIPPETS = {
    case["name"]: case for case in yaml.safe_load((CONFIGS / "snippets.yaml").read_text(encoding="utf-8"))
}
BAD_FILES = sorted(CONFIGS.glob("*.errors"))


@pytest.mark.parametrize("name", SNIPPETS)
def test_bad_snippet(folder: Path, name: str) -> None:
    """Each rule has one message, with place and rule, and none shows a secret."""
    errors = errors_of(SNIPPETS[name]["config"])
    assert errors == [error.replace("FOLDER", str(folder)) for error in SNIPPETS[name]["errors"]]
    assert "hunter" not in str(errors)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("expected", BAD_FILES, ids=lambda path: path.stem)
def test_bad_file(expected: Path) -> None:
    """All errors at once, in the order of the lines."""
    errors = errors_of(expected.with_suffix(".yaml").read_text(encoding="utf-8"))
    assert errors == expected.read_text(encoding="utf-8").splitlines()
    assert "hunter" not in str(errors)


def test_the_table_is_whole() -> None:
    """Every case is run: none shares its name with another, and no expectation lies without its file."""
    assert len(SNIPPETS) == (CONFIGS / "snippets.yaml").read_text(encoding="utf-8").count("\n- name: ")
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == {path.stem for path in BAD_FILES} | {
        "snippets",
        "templates",
    }


@pytest.mark.usefixtures("folder")
def test_files_that_cannot_be_read() -> None:
    """The system's own words, and never what such a file holds."""
    Path("latin.yaml").write_bytes("accounts:\n- {name: a, password: hunter2ñ}\n".encode("latin-1"))
    Path("utf16.yaml").write_bytes("accounts: []".encode("utf-16"))
    os.mkfifo("fifo.yaml")
    for name, error in {
        "missing.yaml": "No such file or directory",
        ".": "Is a directory",
        "latin.yaml": "Not UTF-8 text (line 2): save it as UTF-8",
        "utf16.yaml": "UTF-16 or UTF-32 text: save it as UTF-8",
        "fifo.yaml": "Not a regular file",
        "a\0b": "Not a possible file name",
    }.items():
        with pytest.raises(ConfigError) as raised:
            load(Path(name), {})
        assert raised.value.errors == (f"{name}: {error}",)


@pytest.mark.usefixtures("folder")
def test_large_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the limit is rejected before it is parsed."""
    monkeypatch.setattr("exporter.config.yaml.findings.FILE_LIMIT", 2048)
    assert errors_of("#" * 4096) == ["config.yaml: Larger than 2 KiB"]


@pytest.mark.usefixtures("folder")
def test_bad_account_files() -> None:
    """Errors of all files at once; names and logins are compared across them."""
    Path("a.yaml").write_text("- name: a\n  username: u\n  password: hunter2\n- {name: c, usr: c}\n")
    Path("b.yaml").write_text("accounts: hunter2\n")
    Path("c.yaml").write_text("- {name: 'hunter2}\n")
    assert errors_of(
        "accounts: [{name: a, username: U, password: hunter2}]\naccount_files: ['?.yaml']\n"
    ) == [
        'a.yaml:1: [0].name: "a" is already the name of config.yaml: accounts[0]',
        (
            'a.yaml:2: [0].username: "a" has the same username at solucionfactible.com:443 as "a" '
            "(config.yaml: accounts[0])"
        ),
        "a.yaml:4: [1].username: is required",
        "a.yaml:4: [1].usr: unknown key",
        "a.yaml:4: [1]: exactly one of password, password_file, password_env is needed, got none",
        "b.yaml:1: must be a list of accounts",
        "c.yaml:1:10: not valid YAML: a quotation mark is never closed",
    ]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "holds no password: it is empty"),
        (b"\n", "holds no password: it is empty"),
        (b"hunter2\0", "contains a character that XML can't carry"),
        (b"hunter2\xff", "Not UTF-8 text (line 1): save it as UTF-8"),
        (b"hunter2" * 10_000, "Larger than 64 KiB"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_bad_password_file(content: bytes, error: str) -> None:
    """The error names the key, not the file: some put the password itself there."""
    Path("hunter2").write_bytes(content)
    errors = errors_of("accounts: [{name: a, username: u, password_file: hunter2}]")
    assert errors == [f"config.yaml:1: accounts[0].password_file: {error}"]
