#!/bin/sh
set -e
# Debian says `remove` or `upgrade`; RPM how many versions will be left, after the new one was installed.
case "$1" in
    remove | 0)
        if [ -d /run/systemd/system ]; then systemctl disable --now cfdi-stamps-exporter.service; fi
        ;;
    upgrade) ;;
    *) exit 0 ;;
esac
find /opt/cfdi-stamps-exporter -name __pycache__ -prune -exec rm -r {} +
