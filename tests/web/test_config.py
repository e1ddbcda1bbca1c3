"""`--web.config.file`: what is taken, what is refused, and how that is said without a secret."""

import ssl
from pathlib import Path

import pytest

from exporter.config import ConfigError
from exporter.web.config import HEADERS, load_web_config
from tests.support.configs import make_certificates
from tests.support.peers.tls import Authority

HASH = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
NO_HASH = "must be a bcrypt hash, as htpasswd -nB makes it"
NO_PAIR = "cert_file and key_file are no certificate and its key without a passphrase (PEM)"
ALLOWED_HEADERS = ", ".join(HEADERS)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with certificates in it."""
    monkeypatch.chdir(tmp_path)
    make_certificates(tmp_path)
    return tmp_path


def errors_of(text: str) -> list[str]:
    """All that is wrong with a file of this text."""
    Path("web.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_web_config(Path("web.yml"))
    return list(raised.value.errors)


def tls(more: str = "", cert: str = "client.pem", key: str = "client.key") -> str:
    """A file with a TLS section, sound but for what is added to it."""
    return f"tls_server_config: {{cert_file: {cert}, key_file: {key}{more and ', ' + more}}}\n"


def http(text: str) -> str:
    return f"http_server_config: {{{text}}}\n"


def users(text: str) -> str:
    return f"basic_auth_users: {{{text}}}\n"


def test_everything_that_is_supported() -> None:
    """Each key of exporter-toolkit that is supported does what it says; paths are the file's neighbours."""
    Path("conf").mkdir()
    make_certificates(Path("conf"))
    Path("conf/web.yml").write_text(
        "tls_server_config:\n"
        "  cert_file: client.pem\n  key_file: client.key\n  client_ca_file: ca.pem\n"
        "  client_auth_type: RequireAndVerifyClientCert\n"
        "  min_version: TLS13\n  max_version: TLS13\n  prefer_server_cipher_suites: true\n"
        "http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n"
        f"basic_auth_users:\n  alice: {HASH}\n  josé: {HASH.replace('$2y', '$2b')}\n",
        encoding="utf-8",
    )
    config = load_web_config(Path("conf/web.yml"))
    assert config.tls is not None
    assert config.tls.verify_mode is ssl.CERT_REQUIRED
    assert config.tls.minimum_version == config.tls.maximum_version == ssl.TLSVersion.TLSv1_3
    assert config.users == {"alice": HASH.encode(), "josé": HASH.replace("$2y", "$2b").encode()}
    assert config.headers == {"X-Frame-Options": "deny"}
    names = ("web.yml", "client.pem", "client.key", "ca.pem")
    assert config.files == tuple(Path("conf", name) for name in names)
    assert HASH not in repr(config)


@pytest.mark.parametrize(
    "text", ["", "# nothing yet\n", "tls_server_config:\nhttp_server_config:\n", "basic_auth_users: {}\n"]
)
def test_a_file_that_asks_for_nothing_protects_nothing(text: str) -> None:
    Path("web.yml").write_text(text)
    config = load_web_config(Path("web.yml"))
    assert (config.tls, config.users, config.headers) == (None, {}, {})
    assert config.files == (Path("web.yml"),)


def test_tls_by_default_is_modern_and_asks_for_no_client_certificate() -> None:
    """The defaults of exporter-toolkit."""
    Path("web.yml").write_text(tls())
    context = load_web_config(Path("web.yml")).tls
    assert context is not None
    assert (context.minimum_version, context.verify_mode) == (ssl.TLSVersion.TLSv1_2, ssl.CERT_NONE)
    Path("web.yml").write_text(tls("client_ca_file: ca.pem, client_auth_type: VerifyClientCertIfGiven"))
    context = load_web_config(Path("web.yml")).tls
    assert context is not None
    assert context.verify_mode is ssl.CERT_OPTIONAL


@pytest.mark.parametrize(
    "key", ["cert", "key", "client_ca", "client_allowed_sans", "cipher_suites", "curve_preferences"]
)
@pytest.mark.parametrize("value", ["[hunter2]", "hunter2", "", "null"])
def test_an_unsupported_key_is_refused_by_name(key: str, value: str) -> None:
    """Nobody believes in a protection that isn't there; of inline keys nothing is shown."""
    place = f"web.yml:1: tls_server_config.{key}"
    assert errors_of(tls(f"{key}: {value}")) == [f"{place}: is not supported by this exporter"]


@pytest.mark.parametrize("value", ["{interval: 1s, burst: 5}", "null"])
def test_the_rate_limit_is_refused_by_name(value: str) -> None:
    assert errors_of(f"rate_limit: {value}\n") == ["web.yml:1: rate_limit: is not supported by this exporter"]


REQUIRED = "client_auth_type: RequireAndVerifyClientCert"
VERSIONS = "must be one of TLS12, TLS13"
AUTH_TYPES = "must be one of NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"
BAD = [
    # The file as a whole.
    ("[]", "must be a mapping of keys to values, not a list"),
    ("hunter2", "must be a mapping of keys to values, not text"),
    ("tls_config: {}", "tls_config: unknown key, did you mean tls_server_config?"),
    ("basic_auth_user: {}", "basic_auth_user: unknown key, did you mean basic_auth_users?"),
    ("tls_server_config: []", "tls_server_config: must be a mapping of keys to values, not a list"),
    ("http_server_config: on", "http_server_config: must be a mapping of keys to values, not a boolean"),
    # TLS.
    ("tls_server_config: {cert_file: client.pem}", "tls_server_config.key_file: is required"),
    ("tls_server_config: {key_file: client.key}", "tls_server_config.cert_file: is required"),
    (tls(REQUIRED), "tls_server_config.client_ca_file: is required"),
    (tls("client_auth_type: VerifyClientCertIfGiven"), "tls_server_config.client_ca_file: is required"),
    (
        tls("client_ca_file: ca.pem"),
        "tls_server_config.client_ca_file: has no effect with client_auth_type NoClientCert",
    ),
    (tls("client_auth_type: RequireAnyClientCert"), f"tls_server_config.client_auth_type: {AUTH_TYPES}"),
    (tls("client_auth_type: RequestClientCert"), f"tls_server_config.client_auth_type: {AUTH_TYPES}"),
    (tls("min_version: TLS10"), f"tls_server_config.min_version: {VERSIONS}"),
    (tls("max_version: TLS11"), f"tls_server_config.max_version: {VERSIONS}"),
    (tls("min_version: 1.2"), "tls_server_config.min_version: must be a string: put it in quotes"),
    (tls("min_version: null"), "tls_server_config.min_version: must not be empty"),
    (
        tls("min_version: TLS13, max_version: TLS12"),
        "tls_server_config.min_version: must not exceed max_version (TLS12)",
    ),
    (
        tls("prefer_server_cipher_suites: 1"),
        "tls_server_config.prefer_server_cipher_suites: must be true or false, got 1",
    ),
    (tls("ciphers: [x]"), "tls_server_config.ciphers: unknown key, did you mean cipher_suites?"),
    (tls(cert="missing.pem"), "tls_server_config.cert_file: No such file or directory"),
    (tls(key="missing.key"), "tls_server_config.key_file: No such file or directory"),
    (tls(cert="."), "tls_server_config.cert_file: Is a directory"),
    (tls(cert="big.pem"), "tls_server_config.cert_file: Larger than 1024 KiB"),
    (tls(key="other.key"), f"tls_server_config: {NO_PAIR}"),
    (tls(key="encrypted.key"), f"tls_server_config: {NO_PAIR}"),
    (tls(cert="client.key", key="client.pem"), f"tls_server_config: {NO_PAIR}"),
    (tls(cert="empty.pem"), f"tls_server_config: {NO_PAIR}"),
    (
        tls(f"{REQUIRED}, client_ca_file: missing.pem"),
        "tls_server_config.client_ca_file: No such file or directory",
    ),
    (
        tls(f"{REQUIRED}, client_ca_file: empty.pem"),
        "tls_server_config.client_ca_file: holds no certificate (PEM)",
    ),
    # HTTP.
    (
        http("http2: true"),
        "http_server_config.http2: HTTP/2 is not supported by this exporter: must be false",
    ),
    (
        http("http2: null"),
        "http_server_config.http2: HTTP/2 is not supported by this exporter: must be false",
    ),
    (http("http3: false"), "http_server_config.http3: unknown key, did you mean http2?"),
    (http("headers: [x]"), "http_server_config.headers: must be a mapping of headers to their values"),
    (http("headers: {X-Powered-By: x}"), f"http_server_config.headers: may only have {ALLOWED_HEADERS}"),
    (http("headers: {x-frame-options: x}"), f"http_server_config.headers: may only have {ALLOWED_HEADERS}"),
    (
        http("headers: {X-XSS-Protection: 0}"),
        "http_server_config.headers: X-XSS-Protection must be text on one line: put it in quotes",
    ),
    (
        http('headers: {X-Frame-Options: "deny\\r\\nSet-Cookie: x"}'),
        "http_server_config.headers: X-Frame-Options must be text on one line: put it in quotes",
    ),
    # Users.
    ("basic_auth_users:", "basic_auth_users: must be a mapping of users to bcrypt hashes"),
    ("basic_auth_users: hunter2", "basic_auth_users: must be a mapping of users to bcrypt hashes"),
    (
        f"basic_auth_users: [alice:{HASH}]",
        "basic_auth_users: must be a mapping of users to bcrypt hashes",
    ),
    (users("alice: hunter2"), f"basic_auth_users: the password of alice {NO_HASH}"),
    (users("alice: 5"), f"basic_auth_users: the password of alice {NO_HASH}"),
    (users("alice hunter2: x"), f"basic_auth_users: the password of a user {NO_HASH}"),
    (users("hunter2"), f"basic_auth_users: the password of a user {NO_HASH}"),
    (users(f"'{HASH}': alice"), f"basic_auth_users: the password of a user {NO_HASH}"),
    (users(f"'alice:hunter2': '{HASH}'"), "basic_auth_users: a user's name must be text without a colon"),
    (users(f"'': '{HASH}'"), "basic_auth_users: a user's name must be text without a colon"),
    (users(f"1: '{HASH}'"), "basic_auth_users: a key that isn't text: put it in quotes"),
    (users(f"alice: '{HASH}x'"), f"basic_auth_users: the password of alice {NO_HASH}"),
    (users(f"alice: '{HASH[:-1]}'"), f"basic_auth_users: the password of alice {NO_HASH}"),
    (users(f"alice: '{HASH}\\n'"), f"basic_auth_users: the password of alice {NO_HASH}"),
    (users(f"alice: '{HASH.replace('$10$', '$03$')}'"), f"basic_auth_users: the password of alice {NO_HASH}"),
    (users(f"alice: '{HASH.replace('$2y$', '$1$')}'"), f"basic_auth_users: the password of alice {NO_HASH}"),
    # The library refuses a salt with odd bits at its end: the user could never log in.
    (users(f"alice: '{HASH[:28]}9{HASH[29:]}'"), f"basic_auth_users: the password of alice {NO_HASH}"),
]


@pytest.mark.parametrize(("text", "error"), BAD)
def test_what_is_refused(folder: Path, text: str, error: str) -> None:
    """Each rule has one message, with place and rule; no password and no hash is in any."""
    (folder / "empty.pem").touch()
    (folder / "big.pem").write_bytes(b"-" * (1024 * 1024 + 1))
    Authority(folder, "another").issue("other")
    errors = errors_of(text)
    assert errors == [f"web.yml:1: {error}"]
    assert "hunter" not in str(errors)
    assert "$2" not in str(errors)


def test_everything_wrong_is_said_at_once() -> None:
    assert errors_of(
        "basic_auth_users: {alice: hunter2}\nhttp_server_config: {http2: true, x: y}\nrate_limit: {}\n"
        "tls_server_config: {cert_file: client.pem}\n"
    ) == [
        f"web.yml:1: basic_auth_users: the password of alice {NO_HASH}",
        "web.yml:2: http_server_config.http2: HTTP/2 is not supported by this exporter: must be false",
        "web.yml:2: http_server_config.x: unknown key",
        "web.yml:3: rate_limit: is not supported by this exporter",
        "web.yml:4: tls_server_config.key_file: is required",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            f"basic_auth_users:\n  alice: {HASH}\n  alice: {HASH}\n",
            "3: basic_auth_users: key alice stands twice",
        ),
        (f"basic_auth_users: {{alice: '{HASH}}}\n", "1:27: not valid YAML: a quotation mark is never closed"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(text: str, error: str) -> None:
    """Of the text around the fault nothing is shown."""
    assert errors_of(text) == [f"web.yml:{error}"]


def test_a_file_that_is_missing_says_so() -> None:
    with pytest.raises(ConfigError) as raised:
        load_web_config(Path("missing.yml"))
    assert raised.value.errors == ("missing.yml: No such file or directory",)


@pytest.mark.parametrize("key", ["cert_file", "client_ca_file"])
def test_a_file_that_vanishes_while_it_is_read_is_an_error_like_others(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Who replaces a certificate may remove it first: that must not end the daemon."""
    monkeypatch.setattr("exporter.web.config.read_bytes", lambda _path, _limit: b"")
    cert = "gone.pem" if key == "cert_file" else "client.pem"
    assert errors_of(tls(f"{REQUIRED}, client_ca_file: gone.pem", cert=cert))
