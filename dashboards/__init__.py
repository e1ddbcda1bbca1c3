"""Grafana's dashboards, as code: ``make dashboards`` writes the JSON files beside it.

Data flows one way: selectors, standing (PromQL) -> meanings, panels (how things are drawn) -> board (what all
dashboards share) -> a module for each dashboard -> ``__main__`` (files). It is no part of the exporter: the
built package doesn't have it.
"""
