#!/bin/sh
# Builds the Dockerfile where there is neither a Docker engine nor its registry, and runs what came out of it.
# As root on Debian 12, with its packages buildah, debootstrap and iproute2. Usage: build-with-buildah.sh [FOLDER]
#
# The base is a STAND-IN: a Debian bookworm from debootstrap whose own Python 3.11 was moved to where the image
# python:...-slim-bookworm has one, with pip beside it. It gets that image's name, so that the Dockerfile is built as it
# is. What that image really holds, other architectures and the Docker engine are not tried here.
#
# FOLDER keeps images and base for the next run (about 1 GB); without it nothing is left. The network is used for
# Debian's mirror, as apt has it, and for pip's index, as pip is configured here.
set -eu
cd "$(dirname "$0")/.."
work=${1:-$(mktemp -d)}
mkdir -p "$work"
base=$(sed -n 's/^ARG BASE=//p' Dockerfile)
image=localhost/cfdi-stamps-exporter:buildah

buildah() { command buildah --root "$work/storage" --runroot "$work/run" "$@"; }
say() { printf '\n== %s\n' "$*"; }

# shellcheck disable=SC2317 # called by the trap
finish() {
    buildah rm --all >/dev/null || true
    [ -n "$kept" ] || rm -rf "$work"
}
kept=${1:-}
trap finish EXIT
trap 'exit 1' INT TERM

make_base() {
    stage=$(buildah from scratch)
    root=$(buildah mount "$stage")
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
    debootstrap --variant=minbase --include=ca-certificates,python3.11,python3-distutils,python3-pip-whl \
        bookworm "$root" "$mirror" >"$work/debootstrap.log"
    rm -r "$root/usr/local/lib/python3.11" # empty folders of Debian's
    mv "$root/usr/bin/python3.11" "$root/usr/local/bin/"
    mv "$root/usr/lib/python3.11" "$root/usr/local/lib/"
    modules=$root/usr/local/lib/python3.11
    rm -f "$modules/EXTERNALLY-MANAGED"
    mkdir "$modules/site-packages"
    ln -s site-packages "$modules/dist-packages" # where Debian's Python looks
    ln -s python3.11 "$root/usr/local/bin/python"
    chroot "$root" /usr/local/bin/python -m zipfile -e "$(cd "$root" && echo usr/share/python-wheels/pip-*.whl)" \
        /usr/local/lib/python3.11/site-packages
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/python-wheels
    buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$stage"
    buildah commit --quiet --rm "$stage" "$base"
}

# Where this machine's pip finds its index, without the files of this machine that it may name.
pip_settings() {
    echo '[global]'
    python3 -m pip config list |
        sed -nE "s/^(global|:env:)\.(index-url|proxy|trusted-host)='(.*)'\$/\2 = \3/p"
    echo 'cert = /etc/ssl/certs/ca-certificates.crt'
}

build() {
    pip_settings >"$work/pip.conf"
    buildah bud --isolation chroot --pull-never --format docker --secret "id=pip,src=$work/pip.conf" \
        --volume /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro \
        --build-arg "REVISION=$(git rev-parse HEAD)" --tag "$image" .
}

say "base: $base"
buildah images "$base" 2>/dev/null || make_base
say "build"
build
say "run"
container=$(buildah from --pull-never "$image")
buildah inspect --type image "$image" | unshare --mount --net deploy/try_image.py "$(buildah mount "$container")"
