"""The programs that the exporter is tested against, and the exporter itself, as real processes."""

from tests.support.peers.alertmanager import Alertmanager, AlertmanagerFactory, amtool
from tests.support.peers.clock import FakeClock
from tests.support.peers.daemon import Daemon, DaemonFactory, samples
from tests.support.peers.http import Response
from tests.support.peers.php import PhpProvider, PhpProviderFactory
from tests.support.peers.prometheus import Prometheus, PrometheusFactory, promtool_check_metrics
from tests.support.peers.smtp import MailServer
from tests.support.peers.waiting import eventually, happened
from tests.support.peers.webhook import Webhook

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
