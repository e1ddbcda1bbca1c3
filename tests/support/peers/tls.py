"""Certificates for tests: an authority, and what servers and clients have of it."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, as files."""

    cert_file: Path
    key_file: Path


class Authority:
    """A certificate authority whose files lie in a directory."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self._ca = trustme.CA()
        self._directory = directory
        self.ca_file = directory / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    def issue(self, name: str) -> Identity:
        """Write NAME.pem and NAME.key, for this machine's loopback; those that are there are replaced."""
        issued = self._ca.issue_cert("127.0.0.1", "localhost", common_name=name)
        identity = Identity(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        identity.key_file.write_bytes(issued.private_key_pem.bytes())
        identity.cert_file.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        return identity

    def client(self, identity: Identity | None = None) -> ssl.SSLContext:
        """What a client needs that trusts this authority and, if told so, says who it is."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        if identity:
            context.load_cert_chain(identity.cert_file, identity.key_file)
        return context
