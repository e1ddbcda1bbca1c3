"""Whom Alertmanager tells: a web server on loopback that keeps what it was told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self


@dataclass(frozen=True)
class Told:
    """One alert of one notification."""

    status: str
    """`firing` or `resolved`."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class Webhook:
    """Takes notifications in Alertmanager's format (`webhook_config`, version 4)."""

    def __init__(self) -> None:
        """Listen on a free port; `__enter__` begins to answer."""
        self.told: list[Told] = []
        """Every alert of every notification so far, in the order of their coming."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.told))
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def statuses(self, alertname: str, **labels: str) -> list[str]:
        """What it was told of the alerts with this name and these labels, in order."""
        wanted = {"alertname": alertname, **labels}.items()
        return [one.status for one in list(self.told) if wanted <= one.labels.items()]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(told: list[Told]) -> type[BaseHTTPRequestHandler]:
    """The class of what answers a notification."""

    class Notified(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.extend(Told(one["status"], one["labels"], one["annotations"]) for one in body["alerts"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Stay quiet."""

    return Notified
