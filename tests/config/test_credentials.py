"""Usernames and passwords: what is seldom meant is warned of, and none of it is shown."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.config import load
from exporter.config.credentials import remarks
from exporter.config.model import login_key
from exporter.secret import Secret
from tests.support.configs import errors_of, load_text

END = ": unless that is meant, each login fails and counts"
TEMPLATE = "looks like a template that was never filled in"
SETTING = "looks like a line with the name of a setting before its value"

ODD = [
    ("hunter2\n", "ends with a line end"),
    ("hunter2\r\n", "ends with a line end"),
    ("hunter2\r\n\n", "ends with a line end"),
    ("\nhunter2", "begins with a line end"),
    ("hunter2\r", "ends with a carriage return (U+000D)"),
    ("hunter\nhunter", "holds a line end"),
    (" hunter2", "begins with a blank"),
    ("hunter2 \t", "ends with a blank and a tab"),
    ("hunter2\u00a0", "ends with a no-break space (U+00A0)"),
    ("hunter\u3000hunter", "holds an ideographic space (U+3000)"),
    ("hunter\thunter", "holds a tab"),
    ("\ufeffhunter2", "begins with a byte order mark (U+FEFF)"),
    ("\u200bhunter2", "begins with a zero width space (U+200B)"),
    ("hunter\u200dhunter", "holds a zero width joiner (U+200D)"),
    ("hunter2\u202c", "ends with a pop directional formatting (U+202C)"),
    ("hunter\u00adhunter", "holds a soft hyphen (U+00AD)"),
    ("hunter\u2028hunter", "holds a line separator (U+2028)"),
    ("hunter2\ufe0f", "ends with a variation selector-16 (U+FE0F)"),
    ("hunter\u3164hunter", "holds a hangul filler (U+3164)"),
    ("hunter2\x85", "ends with a control character (U+0085)"),
    (
        "“hunter2”",
        (
            "holds a left double quotation mark (U+201C) and a right double quotation mark (U+201D), "
            "which programs put in the place of what was typed"
        ),
    ),
    ("hunter–2", "holds an en dash (U+2013), which programs put in the place of what was typed"),
    ('"hunter2"', "stands in quotes, which belong to it"),
    ("'hunter2'", "stands in quotes, which belong to it"),
    ("hunter2 # since May", "holds a # after a blank: there are no comments here"),
    ("${HUNTER}", TEMPLATE),
    ("x${hunter:-2}", TEMPLATE),
    ("$(cat hunter)", TEMPLATE),
    ("{{ hunter }}", TEMPLATE),
    ("<%= hunter %>", TEMPLATE),
    ("%s", TEMPLATE),
    ("%(hunter)s", TEMPLATE),
    ("%HUNTER%", TEMPLATE),
    ("@HUNTER@", TEMPLATE),
    ("$HUNTER", "looks like the name of a variable after a $"),
    ("$hunter_password", "looks like the name of a variable after a $"),
    ("<hunter2>", "looks like a placeholder"),
    ("********", "looks like a placeholder"),
    ("CHANGE_ME", "looks like a placeholder"),
    ("password=hunter2", SETTING),
    ("Password: hunter2", SETTING),
    ("export ACME_PASSWORD=hunter2", SETTING),
    ("ACME=hunter2", SETTING),
    ('{"hunter": "2"}', "looks like JSON"),
    ("hunter&amp;2", "looks like text that is escaped for HTML or XML"),
    ("hunter2\\n", "looks like text with a line end that is spelled out"),
    ("contraseÃ±a", "looks like text that was read in another encoding than it was written in"),
    ("hunter\ufffd", "looks like text that was read in another encoding than it was written in"),
    ("n\u0303hunter", "has a letter that is written as two characters (it isn't in Unicode's NFC)"),
]
SOUND = [
    "hunter2",
    "$ecret",
    "simulated: $ecret",
    "contraseña",
    "a b#c",
    "100%",
    "x=y",
    "{a",
    "<3",
    "it's",
    '"',
    "中文",
]


@pytest.mark.parametrize(("text", "remark"), ODD)
def test_odd(text: str, remark: str) -> None:
    """Each in a sentence of its own, which holds no piece of the text."""
    assert remarks(text, from_outside=True) == [remark]
    assert "hunter" not in remark.lower()


@pytest.mark.parametrize("text", SOUND)
def test_sound(text: str) -> None:
    """What passwords hold every day is no reason to bother anybody."""
    assert remarks(text, from_outside=True) == []


@pytest.mark.parametrize(("text", "remark"), [case for case in ODD if case[0][-1] not in "\r\x85"])
@pytest.mark.usefixtures("folder")
def test_wherever_a_password_comes_from(text: str, remark: str) -> None:
    """The warning names the account's place and where the password came from, and what is odd about it."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""  # of a file one goes silently
    Path("secret").write_text(f"{mark}{text}\n", encoding="utf-8", newline="")
    Path("config.yaml").write_text(
        "accounts:\n"
        "- {name: a, username: a, password_file: secret}\n"
        "- {name: b, username: b, password_env: PASSWORD}\n"
    )
    config = load(Path("config.yaml"), {"PASSWORD": text})
    assert config.warnings == (
        f"config.yaml: accounts[0].password_file: the password in secret {remark}{END}",
        f"config.yaml: accounts[1].password_env: the password in PASSWORD {remark}{END}",
    )
    assert [account.remarks for account in config.accounts] == [(one,) for one in config.warnings]
    assert [account.password for account in config.accounts] == [Secret(text)] * 2


@pytest.mark.usefixtures("folder")
def test_usernames_and_passwords_in_the_configuration() -> None:
    """They are looked at alike; a # in quotes is nobody's comment there."""
    config = load_text('accounts: [{name: a, username: "u\\u200b ", password: " hunter2 #"}]')
    assert config.warnings == (
        "config.yaml: accounts[0].username: the username ends with a zero width space (U+200B) and a blank"
        + END,
        f"config.yaml: accounts[0].password: the password begins with a blank{END}",
    )


CUT = "ends where a comment (#) begins, and needs quotes if that belongs to it"
JOINED = "goes on in the next line, which YAML joins to it with a blank"


@pytest.mark.parametrize(
    ("account", "remark"),
    [
        ("{name: a, username: u, password: abc #hunter\n }", CUT),
        ("name: a\n  username: u\n  password: abc #hunter", CUT),
        ("name: a\n  username: u\n  'password': abc\t # hunter\n  interval: 1h", CUT),
        ("name: a\n  username: u\n  password:\n    abc #hunter", CUT),
        ("name: a\n  username: u\n  password: &p abc #hunter\n  labels: {p: *p}", CUT),
        ("name: a\n  username: u\n  password: ñandú #hunter", CUT),
        ("name: a\n  username: u\n  password: abc\n    hunter", JOINED),
        ('name: a\n  username: u\n  password: "abc\n    hunter"', JOINED),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_yaml_makes_of_a_password(account: str, remark: str) -> None:
    """It ends at a comment and goes on over lines: what is sent isn't what was meant."""
    config = load_text(f"# hunter\naccounts: # hunter\n- {account}\n")
    assert config.warnings == (f"config.yaml: accounts[0].password: the password {remark}{END}",)


@pytest.mark.parametrize(
    "account",
    [
        "{name: a, username: u, password: 'abc'} # hunter",
        "{name: a, username: u, password: abc } # hunter",
        "name: a # hunter\n  username: u\n  password: 'abc' # hunter",
        "name: a\n  username: u\n  password: abc#def\n  # hunter",
        "name: a\n  username: u\n  password: abc\n\n# hunter",
        "name: a\n  username: u\n  interval: 1h # hunter\n  password: |-\n    abc",
    ],
)
@pytest.mark.usefixtures("folder")
def test_comments_that_take_nothing_away(account: str) -> None:
    """Nobody is warned of them."""
    assert load_text(f"accounts:\n- {account}\n").warnings == ()


@pytest.mark.usefixtures("folder")
def test_a_comment_after_a_username() -> None:
    assert load_text("accounts:\n- name: a\n  username: ws #1\n  password: x\n").warnings == (
        f"config.yaml: accounts[0].username: the username {CUT}{END}",
    )


@pytest.mark.parametrize("text", ["\n\n", " ", "\u200b", "\ufeff", "\u00a0\t"])
@pytest.mark.usefixtures("folder")
def test_nothing_that_can_be_seen(text: str) -> None:
    """It is no password and no username, wherever it stands."""
    empty = "is empty but for blanks, line ends or invisible characters"
    Path("secret").write_text(f"{text}\n", encoding="utf-8", newline="")
    quoted = text.encode("unicode_escape").decode()
    errors = errors_of(
        "accounts:\n- {name: a, username: a, password_file: secret}\n"
        f'- {{name: b, username: "{quoted}", password: "{quoted}"}}\n'
    )
    if text.startswith("\ufeff"):
        assert errors.pop(0) == "config.yaml:2: accounts[0].password_file: holds no password: it is empty"
    else:
        assert errors.pop(0) == f"config.yaml:2: accounts[0].password_file: {empty}"
    assert errors == [f"config.yaml:3: accounts[1].{key}: {empty}" for key in ("username", "password")]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("hunter2\n".encode("utf-16"), "UTF-16 or UTF-32 text: save it as UTF-8"),
        ("hunter2\n".encode("utf-16-be"), "UTF-16 or UTF-32 text: save it as UTF-8"),
        ("hunter2\n".encode("utf-16-le"), "UTF-16 or UTF-32 text: save it as UTF-8"),
        ("hunter2\n".encode("utf-32"), "UTF-16 or UTF-32 text: save it as UTF-8"),
        ("contraseña".encode("cp1252"), "Not UTF-8 text (line 1): save it as UTF-8"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_other_encodings(content: bytes, error: str) -> None:
    """A Windows editor's or a shell's; the error says what to do."""
    Path("secret").write_bytes(content)
    assert errors_of("accounts: [{name: a, username: u, password_file: secret}]") == [
        f"config.yaml:1: accounts[0].password_file: {error}"
    ]


# What names a login. --------------------------------------------------------------------------------------

HOST = "solucionfactible.com:443"


@pytest.mark.parametrize(
    "written",
    [
        "ws@acme.example",
        "WS@Acme.EXAMPLE",
        " ws@acme.example\t",
        "\u00a0ws@acme.example\r\n",
        "\u2003ws@acme.example\u2028",
        "\ufeffws@acme.example",
        "ws\u200b@\u00adacme.example",
        "ws\u2060@acme\ufe0f.example",
        "ｗｓ＠acme.example",
        "w\u017f@acme.example",
    ],
)
def test_one_login_however_it_is_written(written: str) -> None:
    """Neither case, nor blanks around it, nor what isn't seen, nor the form of a letter makes another."""
    assert login_key(HOST, written) == f"{HOST} ws@acme.example"


def test_letters_with_marks_are_one_either_way() -> None:
    assert login_key(HOST, "n\u0303and\u00fa") == login_key(HOST, "ÑANDU\u0301") == f"{HOST} ñandú"
    assert login_key(HOST, "straße") == login_key(HOST, "STRASSE")
    assert len({login_key(HOST, name) for name in ("nandu", "ñandú", "a b", "ab", "a.b")}) == 5


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_plain_names_keep_their_key(username: str) -> None:
    """state.db is keyed by it: an account's memory is found again after an upgrade."""
    assert login_key(HOST, username) == f"{HOST} {username.casefold()}"


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("\u0345\u0301")
@example("\u1e9e\u200d\u0300")
@example("a\u200b\u0301 \u2060")
def test_a_key_is_its_own_key(username: str) -> None:
    """Made once more it is the same, and so it is for the ways in which a name can be written."""
    _, _, folded = login_key(HOST, username).partition(" ")
    assert login_key(HOST, folded) == f"{HOST} {folded}"
    assert login_key(HOST, unicodedata.normalize("NFD", folded)) == f"{HOST} {folded}"
    assert login_key(HOST, f" {folded}\u200b\n") == f"{HOST} {folded}"


@pytest.mark.usefixtures("folder")
def test_the_same_login_twice() -> None:
    """An account that is written twice, once with what nobody sees, would double the failed logins."""
    first, second = (
        "{name: a, username: ws@x, password: x}",
        '{name: b, username: "\\u200bWS@x ", password: y}',
    )
    place = "config.yaml:1: accounts[1].username"
    assert errors_of(f"accounts: [{first}, {second}]") == [
        f'{place}: "b" has the same username at {HOST} as "a" (accounts[0])'
    ]
