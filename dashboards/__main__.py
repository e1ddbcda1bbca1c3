"""Writes the dashboards' JSON files: ``python -m dashboards``."""

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.account import account
from dashboards.exporter import exporter
from dashboards.overview import overview

FOLDER: Final = Path(__file__).resolve().parent


def files() -> dict[Path, str]:
    """Return the files and what is to be in them."""
    return {
        FOLDER / f"{made.uid}.json": json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
        for made in (overview(), account(), exporter())
    }


if __name__ == "__main__":
    for file, text in files().items():
        file.write_text(text, encoding="utf-8")
