"""The TLS settings towards a provider."""

import ssl

from exporter.config import TlsConfig


def tls_context(tls: TlsConfig) -> ssl.SSLContext:
    """Return the TLS settings towards a provider: at least TLS 1.2, certificates checked unless switched off.

    The authorities are read now: those that the system or a file gets later need a new context. On every
    Python (3.13 has other defaults) an intermediate authority may be trusted without its root, and an
    authority's certificate need not have all that RFC 5280 asks for: those of many companies don't.

    Raises OSError where a file can't be read and ssl.SSLError where it isn't what it should be.
    """
    context = ssl.create_default_context(cafile=str(tls.ca_file) if tls.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def tls_detail(error: ssl.SSLError) -> str:
    """Return what OpenSSL says of a failure: a text of its own, nothing of the other side's."""
    text = getattr(error, "verify_message", None) or error.reason or type(error).__name__
    return f"no secure connection: {text}"
