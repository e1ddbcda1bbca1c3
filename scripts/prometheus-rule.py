#!/usr/bin/env python3
"""Prints the alert rules as PrometheusRules for the Prometheus operator, one for each file in alerts/.

Usage: scripts/prometheus-rule.py > deploy/kubernetes/monitoring/prometheusrule.yaml (make manifests)
The text of a file stays as it is, comments too, only further in.
"""

import sys
from pathlib import Path
from textwrap import indent

ALERTS = Path(__file__).resolve().parent.parent / "alerts"

HEAD = """\
---
# Made from alerts/{file} by scripts/prometheus-rule.py.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: cfdi-stamps-{name}
  labels:
    app.kubernetes.io/name: cfdi-stamps-exporter
spec:
"""

for path in sorted(ALERTS.glob("*.rules.yml")):
    head = HEAD.format(file=path.name, name=path.name.removesuffix(".rules.yml"))
    sys.stdout.write(head + indent(path.read_text(encoding="utf-8"), "  "))
