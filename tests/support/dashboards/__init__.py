"""A past that Prometheus is filled with, and the queries of the dashboards as Grafana sends them."""
