#!/bin/sh
# Installs the Debian packages that the tests run against where that is possible (root, apt-get). Elsewhere
# the tests that need a missing one are skipped and say so; with CI=true they fail. `install-peers.sh bench`
# does the same for those that the benchmark measures.
set -eu
packages="prometheus prometheus-alertmanager php-cli php-soap chromium systemd docker-compose curl openssl"
without="the tests that need them are skipped"
if [ "${1:-}" = bench ]; then
    packages="prometheus-blackbox-exporter prometheus-node-exporter prometheus-pushgateway nginx wrk"
    without="what needs them is not measured"
fi
missing=""
for package in $packages; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not installed, so $without:$missing"
    exit 0
fi
echo "installing$missing"
# A service that apt starts by itself would sit on the ports and outlive the tests.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
