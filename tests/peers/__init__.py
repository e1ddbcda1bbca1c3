"""The programs that the exporter is tested against, and the exporter itself, as real processes."""

from tests.peers.alertmanager import Alertmanager, AlertmanagerFactory, amtool
from tests.peers.clock import FakeClock
from tests.peers.daemon import Daemon, DaemonFactory, samples
from tests.peers.http import Response
from tests.peers.php import PhpProvider, PhpProviderFactory
from tests.peers.prometheus import Prometheus, PrometheusFactory, promtool_check_metrics
from tests.peers.smtp import MailServer
from tests.peers.waiting import eventually, happened
from tests.peers.webhook import Webhook

__all__ = [
    "Alertmanager",
    "AlertmanagerFactory",
    "Daemon",
    "DaemonFactory",
    "FakeClock",
    "MailServer",
    "PhpProvider",
    "PhpProviderFactory",
    "Prometheus",
    "PrometheusFactory",
    "Response",
    "Webhook",
    "amtool",
    "eventually",
    "happened",
    "promtool_check_metrics",
    "samples",
]
