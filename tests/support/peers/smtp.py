"""Whom Alertmanager writes to: a mail server on loopback that keeps what it was given."""

from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Self


@dataclass(frozen=True)
class Mail:
    """One mail: to whom it was sent, and what."""

    recipients: tuple[str, ...]
    message: EmailMessage


class MailServer:
    """Speaks as much SMTP (RFC 5321) as a client needs that trusts it: no TLS, no login."""

    def __init__(self) -> None:
        """Listen on a free port; `__enter__` begins to answer."""
        self.mails: list[Mail] = []
        """All that came so far."""
        self._server = ThreadingTCPServer(("127.0.0.1", 0), _handler(self.mails))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(mails: list[Mail]) -> type[StreamRequestHandler]:
    """The class of what talks to a client."""

    class Conversation(StreamRequestHandler):
        def handle(self) -> None:
            recipients: list[str] = []
            self._say(220, "ready")
            for line in self.rfile:
                verb = line.split(b":")[0].strip().upper()
                if verb == b"DATA":
                    self._say(354, "go on")
                    message = message_from_bytes(self._data(), policy=policy.default)
                    mails.append(Mail(tuple(recipients), message))
                elif verb == b"RCPT TO":
                    recipients.append(line.split(b"<")[1].split(b">")[0].decode())
                elif verb == b"QUIT":
                    self._say(221, "bye")
                    return
                self._say(250, "well")

        def _data(self) -> bytes:
            """The lines up to the dot; one at the start of a line is doubled on the wire."""
            lines = []
            for line in self.rfile:
                if line == b".\r\n":
                    break
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            return b"".join(lines)

        def _say(self, code: int, words: str) -> None:
            self.wfile.write(f"{code} {words}\r\n".encode())

    return Conversation
