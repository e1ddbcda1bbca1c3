"""Debian's prometheus-blackbox-exporter, which posts the same envelope; wrk has it probe without a pause."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from bench.process import Program, fetched
from bench.provider import Provider
from exporter.account.outcome import Failure
from exporter.provider.solucion_factible.wsdl import read_wsdl


class Blackbox(Program):
    """A blackbox_exporter with one module: the POST that the exporter would send."""

    ready_path = "/-/healthy"

    def __init__(self, provider: Provider, in_flight: int) -> None:
        super().__init__()
        self._in_flight = in_flight
        self._provider = provider
        self._target = ""

    def command(self, directory: Path) -> Sequence[str]:
        """Have the exporter's own code read the WSDL and make the envelope."""
        operations = read_wsdl(
            self._provider.wsdl, lambda _url, _needed: fetched(self._provider.port, "/wsdl")
        )
        if isinstance(operations, Failure):
            raise TypeError(operations.detail)
        operation = operations.account
        self._target = f"http://127.0.0.1:{self._provider.port}{operation.path}"
        envelope = operation.envelope("ws@customer-000001.example", "b-1").decode()
        file = directory / "blackbox.yml"
        file.write_text(f"""\
modules:
  soap:
    prober: http
    timeout: 60s
    http:
      method: POST
      headers: {{Content-Type: "text/xml; charset=utf-8", SOAPAction: '"{operation.soap_action}"'}}
      body: |
        {envelope.replace(chr(10), " ")}
      preferred_ip_protocol: ip4
""")
        return [
            "prometheus-blackbox-exporter",
            f"--config.file={file}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=error",
        ]

    @contextmanager
    def probed(self, seconds: float) -> Iterator[None]:
        """Have it probe for so long, with so many probes at once as `in_flight` says."""
        url = f"http://127.0.0.1:{self.port}/probe?module=soap&target={quote(self._target)}"
        wrk = subprocess.Popen(
            ["wrk", "-t1", f"-c{self._in_flight}", f"-d{seconds:.0f}s", url], stdout=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            wrk.terminate()
            wrk.wait()
