"""The parts of a monitoring that the dashboards are tried on."""

from dataclasses import dataclass

from exporter.simulator import Simulator
from tests.support.peers import Daemon, Prometheus


@dataclass(frozen=True)
class Monitored:
    """The exporter, who watches it, and the provider behind it."""

    exporter: Daemon
    prometheus: Prometheus
    simulator: Simulator
