"""The issuers of an account: what good ones become, what is wrong with others, and how many there may be.

The RFCs are those that the tax authority publishes for tests, and made-up ones of companies.
"""

import json
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from exporter.config import Account, Issuer, load, redacted
from exporter.config.redaction import BATCH, pieces
from exporter.config.rfc import check_digit, is_formed, meant
from exporter.config.schema import json_schema
from tests.support.configs import FULL, errors_of, load_text

pytestmark = pytest.mark.usefixtures("folder")

# Published by the SAT: its test certificates, and the example of its procedure for persons.
COMPANIES = ("EKU9003173C9", "XIA190128J61", "L&O950913MSA", "OÑO120726RX3", "S&S051221SE2", "H&E951128469")
PERSONS = ("CACX7605101P8", "IAÑL750210963", "RAQÑ7701212M3", "GODE561231GR8")
PLACE = "config.yaml:2: accounts[0].issuers[0]"
FORM = "must be an RFC: 3 letters (4 of a person), a date as YYMMDD, then 3 letters or digits"
DATE = "must be an RFC with a date as YYMMDD behind its letters"


def issuers(*items: str, more: str = "") -> str:
    """A configuration with one account and these issuers."""
    return f"accounts:\n- {{{FULL}, issuers: [{', '.join(items)}]{more}}}\n"


def loaded(*items: str, more: str = "") -> Account:
    return load_text(issuers(*items, more=more)).accounts[0]


def made_up(number: int) -> str:
    """The RFC of a company that there isn't, another one for each number."""
    signs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    day, rest = divmod(number, 36 * 36)
    stem = f"ZZZ{day // 28 % 100:02}01{day % 28 + 1:02}{signs[rest // 36]}{signs[rest % 36]}"
    return stem + check_digit(stem + "0")


def test_what_they_become() -> None:
    """With the account's times: four intervals apart, and as many of them old as the account's balance."""
    account = loaded(
        "{name: norte, rfc: EKU9003173C9, thresholds: {warning: 50, critical: 10}, labels: {b: n, a: x}}",
        "{name: 'Ñandú & Cía', rfc: OÑO120726RX3}",
        more=", interval: 10m, stale_after: 20m, issuer_concurrency: 3",
    )
    assert account.issuers == (
        Issuer("norte", "EKU9003173C9", 2400, 4800, 50, 10, (("a", "x"), ("b", "n"))),
        Issuer("Ñandú & Cía", "OÑO120726RX3", 2400, 4800, None, None, ()),
    )
    assert account.issuer_concurrency == 3
    assert account.issuers[0].threshold_above(20) == ("warning", 50)
    assert "EKU" not in repr(account.issuers[0])


def test_an_interval_of_their_own() -> None:
    assert loaded("{name: n, rfc: EKU9003173C9}", more=", issuer_interval: 6h").issuers == (
        Issuer("n", "EKU9003173C9", 21_600, 64_800, None, None, ()),
    )


def test_without_issuers_there_are_none() -> None:
    """Neither in the account nor in what /config shows."""
    config = load_text(f"accounts: [{{{FULL}}}]")
    assert (config.accounts[0].issuers, config.accounts[0].issuer_concurrency) == ((), 1)
    assert (config.issuer_globs, config.warnings) == ((), ())
    assert "issuer" not in redacted(config)


@pytest.mark.parametrize("rfc", [*COMPANIES, *PERSONS])
def test_published_rfcs_are_right(rfc: str) -> None:
    """In form and check digit; with another check digit a warning says which one is meant."""
    assert load_text(issuers(f'{{name: n, rfc: "{rfc}"}}')).warnings == ()
    wrong = rfc[:-1] + ("0" if rfc[-1] != "0" else "A")
    place = "config.yaml: accounts[0].issuers[0].rfc"
    assert load_text(issuers(f'{{name: n, rfc: "{wrong}"}}')).warnings == (
        f"{place}: its check digit, the last sign, should be {rfc[-1]}: is that the issuer's RFC?",
    )


def test_many_wrong_check_digits_are_counted() -> None:
    """They have one cause, and the log is to be read."""
    config = load_text(
        issuers(
            *(f"{{name: n{n}, rfc: AAA{n:02}0101AAA}}" for n in range(10, 26)), "{name: x, rfc: EKU9003173C9}"
        )
    )
    assert len(config.warnings) == 11
    assert config.warnings[-1] == (
        "config.yaml: accounts[0].issuers[0]: 5 more RFCs of this account's issuers have a wrong check digit"
    )


@pytest.mark.parametrize(
    ("rfc", "said"),
    [
        ("eku9003173c9", f"{FORM}, got eku9003173c9, did you mean EKU9003173C9?"),
        ("EKU-900317-3C9", f"{FORM}, got EKU-900317-3C9, did you mean EKU9003173C9?"),
        ("'EKU 900317 3C9'", f"{FORM}, got text that isn't shown, did you mean EKU9003173C9?"),
        ("ON\u0303O120726RX3", f"{FORM}, got text that isn't shown, did you mean OÑO120726RX3?"),
        ('"EKU9003173C9\\n"', f"{FORM}, got text that isn't shown, did you mean EKU9003173C9?"),
        ("ＥＫＵ9003173C9", f"{FORM}, got text that isn't shown, did you mean EKU9003173C9?"),
        ("l&o950913msa", f"{FORM}, got l&o950913msa, did you mean L&O950913MSA?"),
        ("EK9003173C9", f"{FORM}, got EK9003173C9"),
        ("EKUXX9003173C9", f"{FORM}, got EKUXX9003173C9"),
        ("EKU9003173C", f"{FORM}, got EKU9003173C"),
        ("hunter2:hunter2", f"{FORM}, got text that isn't shown"),
        ("EKU9013173C9", f"{DATE}, got EKU9013173C9"),
        ("EKU9000173C9", f"{DATE}, got EKU9000173C9"),
        ("EKU9004313C9", f"{DATE}, got EKU9004313C9"),
        ("EKU9002293C9", f"{DATE}, got EKU9002293C9"),
        ("EKU9003173CB", "must be an RFC, whose last sign is a digit or an A, got EKU9003173CB"),
        ("XAXX010101000", "XAXX010101000 is a generic RFC, which nobody issues with: give the issuer's own"),
        ("XEXX010101000", "XEXX010101000 is a generic RFC, which nobody issues with: give the issuer's own"),
        ("''", "must not be empty"),
        ("900317", "must be a string: put it in quotes"),
        ("[EKU9003173C9]", "must be a string, not a list"),
    ],
)
def test_what_is_no_rfc(rfc: str, said: str) -> None:
    """The place, the value and, where it is plain what was meant, that."""
    assert errors_of(issuers(f"{{name: n, rfc: {rfc}}}")) == [f"{PLACE}.rfc: {said}"]


@pytest.mark.parametrize("rfc", ["AAA000229AA1", "AAA960229AA1", "AAA001231AA1"])
def test_dates_of_either_century(rfc: str) -> None:
    """2000 had a 29th of February; two digits don't tell it from 1900."""
    assert is_formed(rfc)
    assert meant(rfc.lower()) == rfc


def test_all_errors_at_once() -> None:
    """Those of one issuer hide none of another's, nor of the account's."""
    Path("more.yaml").write_text("- {name: a, rfc: S&S051221SE2}\n- {name: d, rfc: EKU9003173C9}\n- text\n")
    assert errors_of(
        """
accounts:
- name: acme
  username: u
  interval: 5
  issuers:
  - {name: a, rfc: EKU9003173C9}
  - {name: a, rfc: XIA190128J61, labels: {issuer: x}}
  - {name: b, rfc: eku9003173c9, tresholds: {}}
  - {name: c, rfc: XIA190128J61, thresholds: {warning: 1, critical: 2}}
  - {rfc: L&O950913MSA}
  -
  issuer_interval: 10s
  issuer_concurrency: 33
  issuer_files: [more.yaml, none.yaml]
"""
    ) == [
        "config.yaml:3: accounts[0]: exactly one of password, password_file, password_env is needed, got none",  # noqa: E501
        (
            "config.yaml:5: accounts[0].interval: must be a duration such as 30s, 5m or 1h30m, got 5: "
            "the unit is missing, as in 5s or 5m"
        ),
        (
            "config.yaml:8: accounts[0].issuers[1].labels.issuer: "
            "clashes with a label that cfdi_issuer_info has by itself"
        ),
        'config.yaml:8: accounts[0].issuers[1].name: "a" is already the name of accounts[0].issuers[0]',
        f"config.yaml:9: accounts[0].issuers[2].rfc: {FORM}, got eku9003173c9, did you mean EKU9003173C9?",
        "config.yaml:9: accounts[0].issuers[2].tresholds: unknown key, did you mean thresholds?",
        "config.yaml:10: accounts[0].issuers[3].thresholds: critical (2) must not exceed warning (1)",
        "config.yaml:10: accounts[0].issuers[3].rfc: XIA190128J61 is already the RFC of accounts[0].issuers[1]",  # noqa: E501
        "config.yaml:11: accounts[0].issuers[4].name: is required",
        "config.yaml:12: accounts[0].issuers[5]: is empty",
        "config.yaml:13: accounts[0].issuer_interval: must be at least 60s for environment production, got 10s",  # noqa: E501
        "config.yaml:14: accounts[0].issuer_concurrency: must be from 1 to 32, got 33",
        "config.yaml:15: accounts[0].issuer_files[1]: none.yaml: No such file or directory",
        'more.yaml:1: [0].name: "a" is already the name of config.yaml: accounts[0].issuers[0]',
        "more.yaml:2: [1].rfc: EKU9003173C9 is already the RFC of config.yaml: accounts[0].issuers[0]",
        "more.yaml:3: [2]: must be a mapping of keys to values, not text",
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("issuers: text", "issuers: must be a list, not text"),
        ("issuer_files: x", "issuer_files: must be a list, not text"),
    ],
)
def test_what_is_no_list(value: str, said: str) -> None:
    assert errors_of(f"accounts:\n- {{{FULL}, {value}}}\n") == [f"config.yaml:2: accounts[0].{said}"]


def test_files() -> None:
    """Relative to the configuration; each once for an account; several accounts may name the same one."""
    Path("conf/issuers.d").mkdir(parents=True)
    Path("conf/issuers.d/b.yaml").write_text("- {name: b, rfc: XIA190128J61}\n")
    Path("conf/issuers.d/a.yaml").write_text("- {name: a, rfc: EKU9003173C9}\n")
    Path("conf/more.yaml").write_text(
        "- {name: y, username: y, password: p, environment: testing, issuer_files: [issuers.d/a.yaml]}\n"
    )
    Path("conf/config.yaml").write_text(
        "accounts:\n- {name: x, username: x, password: p, issuers: [{name: c, rfc: L&O950913MSA}],\n"
        "   issuer_files: [issuers.d/*.yaml, issuers.d/a.yaml, none/*.yaml]}\naccount_files: [more.yaml]\n"
    )
    config = load(Path("conf/config.yaml"), {})
    assert [[issuer.name for issuer in account.issuers] for account in config.accounts] == [
        ["c", "a", "b"],
        ["a"],
    ]
    assert config.warnings == ("conf/config.yaml: accounts[0].issuer_files[2]: matches no file",)
    names = ("config.yaml", "more.yaml", "issuers.d/a.yaml", "issuers.d/b.yaml")
    assert config.files == tuple(Path("conf") / name for name in names)
    Path("conf/none").mkdir()
    Path("conf/none/new.yaml").touch()
    assert Path("conf/none/new.yaml") in config.watched()


def test_the_same_issuer_under_two_accounts() -> None:
    """Each asks with its own login, for a balance of its own."""
    other = "{name: b, username: b, password: hunter2, issuers: [{name: n, rfc: EKU9003173C9}]}"
    config = load_text(issuers("{name: n, rfc: EKU9003173C9}") + f"- {other}\n")
    assert len(config.accounts) == 2


def test_too_many_for_their_interval() -> None:
    """It says what there is for each, and what to change; and where a setting has no effect."""
    many = (f"{{name: n{n}, rfc: {made_up(n)}}}" for n in range(301))
    more = ", issuer_interval: 1m, issuer_concurrency: 1, environment: testing"
    assert load_text(issuers(*many, more=more)).warnings == (
        (
            "config.yaml: accounts[0]: 301 issuers, 1 at a time, within 1m: that is 0.2 s for each call, "
            "and they may come late: raise issuer_interval or issuer_concurrency"
        ),
    )
    assert load_text(issuers("{name: n, rfc: EKU9003173C9}", more=", issuer_concurrency: 5")).warnings == (
        (
            "config.yaml: accounts[0].issuer_concurrency: "
            "more than the 4 calls that environment production has in flight"
        ),
    )


def test_redacted() -> None:
    """GET /config: all but the RFC, which of a person holds the date of birth; in short pieces."""
    items = [f"{{name: n{n}, rfc: {made_up(n)}, labels: {{owner: x}}}}" for n in range(3 * BATCH)]
    config = load_text(issuers(*items, "{name: p, rfc: CACX7605101P8, thresholds: {critical: 5}}"))
    text = redacted(config)
    assert "CACX" not in text
    assert "ZZZ" not in text
    [shown] = yaml.safe_load(text)["accounts"]
    assert (shown["issuer_interval"], shown["issuer_concurrency"]) == ("1h", 1)
    assert len(shown["issuers"]) == 3 * BATCH + 1
    assert shown["issuers"][-1] == {
        "name": "p",
        "rfc": "<secret>",
        "thresholds": {"critical": 5},
        "labels": {},
    }
    assert max(piece.count("- name:") for piece in pieces(config)) <= BATCH


@pytest.mark.parametrize(
    "issuer",
    [
        "{name: n, rfc: eku9003173c9}",
        "{name: n, rfc: EKU9013173C9}",
        "{name: n}",
        "{name: n, rfc: EKU9003173C9, labels: {issuer: x}}",
        "{name: n, rfc: EKU9003173C9, interval: 1h}",
    ],
)
def test_an_editor_marks_what_would_be_rejected(issuer: str) -> None:
    schema = jsonschema.Draft202012Validator(json.loads(json_schema()))
    assert schema.is_valid(yaml.safe_load(issuers("{name: n, rfc: 'L&O950913MSA'}")))
    assert not schema.is_valid(yaml.safe_load(issuers(issuer)))


def test_fifty_thousand() -> None:
    """They load in some four seconds; the limit leaves room for a busy machine."""
    one = (
        "- name: tienda-{}\n  rfc: {}\n"
        "  thresholds: {{warning: 50, critical: 10}}\n  labels: {{owner: norte}}\n"
    )
    Path("issuers.yaml").write_text("".join(one.format(n, made_up(n)) for n in range(50_000)))
    begin = time.process_time()
    config = load_text(f"accounts: [{{{FULL}, issuer_interval: 1d, issuer_files: [issuers.yaml]}}]")
    assert len(config.accounts[0].issuers) == 50_000
    assert time.process_time() - begin < 15
