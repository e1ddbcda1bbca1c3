#!/bin/sh
set -e
# The service can't write here: without compiled modules each start would compile them anew.
/opt/cfdi-stamps-exporter/bin/python -I -m compileall -q /opt/cfdi-stamps-exporter/lib
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    # After an upgrade the new version; after the first installation nothing, as there is no configuration yet.
    systemctl try-restart cfdi-stamps-exporter.service
fi
