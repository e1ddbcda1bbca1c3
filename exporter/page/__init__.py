"""The page for people: every account with its balance, the worst first. Pure but for `overview`.

    accounts -> standing -> board (order, totals, choice) -> document, detail (entry, drawing, texts) -> HTML
                                                          -> table -> CSV

It shows the way out of a suspension and offers none: a page must not be able to cause a login.
"""

from exporter.page.overview import Overview
from exporter.page.style import POLICY
from exporter.page.view import Site

__all__ = ["POLICY", "Overview", "Site"]
