"""Programs that no package of the distribution has: what `make tools` installs, and sid's Prometheus."""

import shutil

from tests.support.places import ROOT

PEERS = ROOT / ".peers"
"""Where `scripts/install-peers.sh` unpacks what is newer than the distribution's."""

TOOLS = ROOT / ".venv-tools"
OPERATOR_SCHEMAS = TOOLS / "share" / "operator.schema.json"


def tool(name: str) -> str | None:
    """Where a program is: among the tools, else on the PATH."""
    return shutil.which(name, path=str(TOOLS / "bin")) or shutil.which(name)


def newer_peer(name: str) -> str:
    """Where a program of sid is, once it has been unpacked."""
    return str(PEERS / "bin" / name)
