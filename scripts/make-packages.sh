#!/bin/sh
# Builds a deb and an rpm into FOLDER for one minor version of Python: Debian 12 has 3.11, Debian 13 has 3.13. Equal to
# the byte from one commit.
# Usage: make-packages.sh UV NFPM PYTHON FOLDER, with the wheel in FOLDER (make packages)
set -eu
umask 022
uv=$1 nfpm=$2 python=$3 dist=$4
cd "$(dirname "$0")/.."
stage=build/packages/$python
home=$stage/opt/cfdi-stamps-exporter
site=$home/lib/python$python/site-packages
rm -rf "$stage"
mkdir -p "$home/bin" "$site"
# As resolved for that Python, whatever runs here.
"$uv" pip install --quiet --target "$site" --python-version "$python" --python-platform x86_64-manylinux_2_28 \
    --require-hashes --only-binary :all: --requirement requirements.txt
# Ours holds modules alone; an installer would write down where it lay.
python3 -m zipfile --extract "$dist"/cfdi_stamps_exporter-*.whl "$site"
rm -rf "$site/bin" "$site/.lock"
find "$stage" -name __pycache__ -prune -exec rm -r {} +
# A virtual environment, written down: it is made on one machine and used on another.
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = %s\n' "$python" >"$home/pyvenv.cfg"
ln -s "/usr/bin/python$python" "$home/bin/python"
cat >"$home/bin/cfdi-stamps-exporter" <<'END'
#!/opt/cfdi-stamps-exporter/bin/python -I
import sys

from exporter.cli.main import run

sys.exit(run())
END
chmod 0755 "$home/bin/cfdi-stamps-exporter"
VERSION=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' exporter/__init__.py)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
MTIME=$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
find "$stage" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
# nfpm replaces variables in some fields only.
sed "s|\${VERSION}|$VERSION|; s|\${RELEASE}|1.py$(echo "$python" | tr -d .)|; s|\${MTIME}|$MTIME|; s|\${STAGE}|$stage|
    s|\${PYTHON}|$python|" deploy/packages/nfpm.yaml >"$stage.yaml"
for kind in deb rpm; do
    "$nfpm" package --config "$stage.yaml" --packager "$kind" --target "$dist" >/dev/null
done
