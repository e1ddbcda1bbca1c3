#!/bin/sh
# Boots Debian in a container, systemd and all, and lets the unit run there against the simulated provider: Debian 12,
# installed with the very commands of README.md, or another with a package of `make packages`. As root on Debian 12, with
# its packages debootstrap and systemd-container and Python 3.11 with pip. Usage: try-in-nspawn.sh [SUITE DEB]
#
# The network is used for Debian's mirror, as apt has it, and for pip's index, as pip is configured here; the container
# has nothing but loopback. Nothing is left.
set -eu
suite=${1:-bookworm}
package=${2:+$(realpath "$2")}
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
root=$work/root
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM

say() { printf '\n== %s\n' "$*"; }

say "Debian $suite"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
include=python3-venv$([ "$suite" != bookworm ] || echo ,python3-distutils)
[ -z "$package" ] || include=python3,ca-certificates
debootstrap --variant=minbase --include="systemd-sysv,$include" "$suite" "$root" "$mirror" >"$work/debootstrap.log"

if [ -n "$package" ]; then
    say "the package"
    cp "$package" "$root/exporter.deb"
    chroot "$root" dpkg --install /exporter.deb
else
    say "the exporter, as README.md says"
    mkdir "$root/src" "$root/wheels"
    git ls-files -z | xargs -0 cp --parents --target-directory="$root/src"
    python3 -m pip download --quiet --require-hashes --only-binary=:all: --dest "$root/wheels" \
        --requirement requirements.txt --requirement requirements-build.txt
    # The first block of commands; pip finds its wheels in the folder, as the container has no network.
    awk '/^```/ { inside = !inside && ++blocks == 1; next } inside' deploy/systemd/README.md >"$root/src/install.sh"
    chroot "$root" env PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_DISABLE_PIP_VERSION_CHECK=1 \
        sh -ec 'cd /src; . ./install.sh'
fi

(umask 077 && echo simulated >"$root/etc/cfdi-stamps-exporter/secrets/acme")
cat >"$root/etc/cfdi-stamps-exporter/config.yaml" <<'END'
environments: {simulated: {wsdl: "http://127.0.0.1:8099/ws/services/Utilerias?wsdl"}}
global: {environment: simulated, interval: 2s}
accounts:
- name: acme
  username: healthy@demo.example
  password_file: /run/credentials/cfdi-stamps-exporter.service/secrets_acme
END
cat >"$root/etc/systemd/system/simulator.service" <<'END'
[Service]
ExecStart=/opt/cfdi-stamps-exporter/bin/cfdi-stamps-exporter simulator
DynamicUser=yes
END
cat >"$root/etc/systemd/system/try.service" <<'END'
[Service]
Type=oneshot
ExecStart=/bin/bash /try.sh
[Install]
WantedBy=multi-user.target
END
cat >"$root/try.sh" <<'END'
exec >/result 2>&1
unit=cfdi-stamps-exporter
config=/etc/cfdi-stamps-exporter/config.yaml

holds() { # WHAT COMMAND...: within 30 s
    what=$1
    shift
    for _ in $(seq 60); do
        "$@" >/dev/null 2>&1 && { echo "ok   $what"; return; }
        sleep 0.5
    done
    echo "NOT  $what"
}
metric() { python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:10520/metrics").read().decode())' | grep -q "^$1"; }
shows() { systemctl show "$unit" | grep -qx "$1"; }
status() { grep -qP "^$1" "/proc/$(systemctl show --property MainPID --value $unit)/status"; }
check() {
    /opt/cfdi-stamps-exporter/bin/cfdi-stamps-exporter check acme --config.file=$config \
        --storage.path=/var/lib/cfdi-stamps-exporter/state.db
}

systemctl start simulator $unit
holds "it polls with the password that systemd hands it" metric 'cfdi_account_up{account="acme"} 1'
holds "it isn't root" status 'Uid:\t[1-9]'
holds "it has no capability to gain" status 'CapBnd:\t0*$'
holds "its system calls are filtered" status 'Seccomp:\t2'
holds "it knows when it was started" metric 'process_start_time_seconds 1\.[0-9]*e+09'
holds "the state is there" test -s /var/lib/cfdi-stamps-exporter/state.db
printf -- '- name: beta\n  username: low@demo.example\n  password: simulated\n' >>$config
systemctl reload $unit
holds "a reload takes up an account" metric 'cfdi_account_up{account="beta"} 1'
holds "check as root, while it runs" check
holds "which leaves the state with its user" sh -c '[ "$(stat -c %u /var/lib/private/*/* | sort -u | wc -l)" = 1 ]'
holds "it can still write there" metric 'cfdi_exporter_storage_errors_total 0'
systemctl kill --signal=KILL $unit
holds "killed, it is started again" shows SubState=auto-restart
holds "but after a minute" shows RestartUSec=1min
systemctl stop $unit
echo 'junk: 1' >>$config
systemctl start $unit
holds "with a wrong configuration it fails" shows ExecMainStatus=2
holds "and isn't started again" shows SubState=failed
journalctl --no-pager --output=cat --unit $unit
if [ -s /packaged ]; then
    systemctl reset-failed $unit
    holds "the demonstration runs from /usr/bin" sh -c 'timeout 20 cfdi-stamps-exporter demo --web.listen-address=127.0.0.1:10521 2>&1 | grep -qm1 msg=polling'
    dpkg --remove cfdi-stamps-exporter >/dev/null
    holds "removed, it leaves nothing in /opt" test ! -e /opt/cfdi-stamps-exporter
    holds "but the secrets" test -s /etc/cfdi-stamps-exporter/secrets/acme
    holds "and the state" test -s /var/lib/private/cfdi-stamps-exporter/state.db
fi
systemctl poweroff
END
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../try.service "$root/etc/systemd/system/multi-user.target.wants/"

say "boot"
# What a package leaves when it goes: the state and the secrets, which are no files of its own.
printf '%s' "${package:+yes}" >"$root/packaged"
timeout 300 systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit --private-network \
    >"$work/boot.log" 2>&1 || tail "$work/boot.log"
cat "$root/result"
! grep -q '^NOT' "$root/result"
