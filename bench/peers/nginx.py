"""Debian's nginx, serving the exporter's own bytes from files: the floor of what HTTP costs."""

from collections.abc import Sequence
from pathlib import Path

from bench.process import Program


class Nginx(Program):
    """One worker that serves `/metrics`: a file, or (`gzip_static`) its twin to those who take gzip."""

    def __init__(self, plain: bytes, compressed: bytes) -> None:
        super().__init__()
        self._plain = plain
        self._compressed = compressed

    def command(self, directory: Path) -> Sequence[str]:
        """Write the two files and the configuration."""
        # Where it is started by root its worker is another user, who must be able to read these.
        directory.chmod(0o755)
        (directory / "metrics").write_bytes(self._plain)
        (directory / "metrics.gz").write_bytes(self._compressed)
        file = directory / "nginx.conf"
        file.write_text(f"""\
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path {directory};
  proxy_temp_path {directory};
  fastcgi_temp_path {directory};
  uwsgi_temp_path {directory};
  scgi_temp_path {directory};
  server {{
    listen 127.0.0.1:{self.port};
    root {directory};
    default_type "text/plain; version=0.0.4; charset=utf-8";
    gzip_static on;
  }}
}}
""")
        return ["nginx", "-p", str(directory), "-e", "stderr", "-c", str(file)]
