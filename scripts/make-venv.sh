#!/bin/sh
# Makes the virtual environment. Usage: make-venv.sh PYTHON FOLDER
set -eu
python=$1 folder=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "$python is $("$python" -V 2>&1), but Python 3.11 or newer is needed: make PYTHON=python3.12 ..." >&2
    exit 1
}
# Debian ships Python without what a virtual environment needs.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
    else
        echo "$python can't make a virtual environment: install $package" >&2
        exit 1
    fi
fi
"$python" -m venv "$folder"
