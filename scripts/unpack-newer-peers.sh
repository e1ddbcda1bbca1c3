#!/bin/sh
# Unpacks Prometheus and promtool of Debian's sid into a folder, beside what the distribution has: rules are tested on both.
# Nothing is installed, so it needs no root, but a Debian whose mirror can be reached. Usage: unpack-newer-peers.sh FOLDER
set -eu
folder=$1
programs="prometheus promtool"
[ -x "$folder/bin/promtool" ] && exit 0

without() {
    echo "no newer Prometheus beside the distribution's, so the tests that need it are skipped: $1"
    exit 0
}

for command in apt-get dpkg-deb; do
    command -v "$command" >/dev/null || without "there is no $command"
done
# The mirror that this machine uses already.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 ~ /\/debian\/?$/ && $2 !~ /-/ { print $1; exit }') || mirror=""
[ -n "$mirror" ] || without "apt knows no mirror of Debian"

echo "unpacking Debian sid's $programs into $folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$work/unpacked" "$work/parts"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keys" ] && signed="[signed-by=$keys] " || signed=""
echo "deb ${signed}${mirror} sid main" >"$work/sources.list"
# A file and folders of its own: what the machine is installed from stays as it is.
sid() {
    apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts="$work/parts" \
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root \
        -o Acquire::Languages=none "$@"
}
sid update >"$work/log" 2>&1 || without "its list of packages: $(tail -n 1 "$work/log")"
# shellcheck disable=SC2086 # a list of names
(cd "$work/debs" && sid download $programs) >"$work/log" 2>&1 || without "its packages: $(tail -n 1 "$work/log")"
for package in "$work"/debs/*.deb; do
    dpkg-deb --extract "$package" "$work/unpacked"
done
for program in $programs; do
    "$work/unpacked/usr/bin/$program" --version >"$work/log" 2>&1 || without "$program: $(tail -n 1 "$work/log")"
done
mkdir -p "$folder/bin"
for program in $programs; do # promtool last: what is looked for above
    mv "$work/unpacked/usr/bin/$program" "$folder/bin/$program"
done
