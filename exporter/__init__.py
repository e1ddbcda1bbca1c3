"""Prometheus exporter for the prepaid CFDI stamps left at the PAC Solución Factible."""

__version__ = "0.1.0"
