#!/bin/sh
# Runs the tests of the source distribution against the wheel: in a fresh environment with the locked requirements, in a
# folder where the package itself isn't. Usage: test-wheel.sh PYTHON FOLDER-WITH-BOTH [PYTEST-ARGUMENT...]
set -eu
python=$1 dist=$2
shift 2
work=build/test-wheel
rm -rf "$work"
mkdir -p "$work/tree"
"$(dirname "$0")/make-venv.sh" "$python" "$work/venv"
pip="$work/venv/bin/python -m pip --disable-pip-version-check --quiet"
$pip install --require-hashes --requirement requirements.txt
$pip install --require-hashes --requirement requirements-dev.txt
$pip install --no-deps --no-index "$dist"/*.whl
tar -xzf "$dist"/*.tar.gz --strip-components=1 -C "$work/tree"
rm -r "$work/tree/exporter"
ln -s "$PWD/.venv-tools" "$work/tree/.venv-tools"
cd "$work/tree"
exec ../venv/bin/python -m pytest --numprocesses=auto --dist=loadgroup "$@"
