"""The dashboards: their files, their structure, and every query against a real Prometheus."""
