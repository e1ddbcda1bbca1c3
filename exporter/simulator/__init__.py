"""The provider, simulated: a real SOAP service over HTTP, for the demo, for tests and for trying alert rules.

It shares nothing with the exporter's own reading of the provider, so that each can prove the other wrong.
"""

from exporter.simulator.accounts import FAILURES_ALLOWED, PASSWORD, Account
from exporter.simulator.issuers import Issuer
from exporter.simulator.life import Balance, Life, Refill
from exporter.simulator.service import Simulator

__all__ = ["FAILURES_ALLOWED", "PASSWORD", "Account", "Balance", "Issuer", "Life", "Refill", "Simulator"]
