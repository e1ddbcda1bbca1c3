"""Stamps that were bought, as annotations on the graphs."""

from typing import Final

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import dashboard as model

from dashboards.meanings import BLUE
from dashboards.panels import DATASOURCE, HOURLY
from dashboards.selectors import CHOSEN, ONE

AT_ONCE: Final = 5
"""Accounts that are marked at one step: those of thousands would hide the graphs."""


class Annotations(model.AnnotationQuery):
    """A query of a Prometheus for annotations.

    Of a query the SDK types only ``expr``, which newer Grafanas move to ``target``. Both are written, and
    what the SDK doesn't know: the step and the texts.
    """

    def __init__(self, name: str, expression: str, text: str, step: str) -> None:
        super().__init__(name, DATASOURCE, icon_color=BLUE, expr=expression)
        self.step = step
        self.text = text

    def to_json(self) -> dict[str, object]:
        """Return what goes into the dashboard's JSON."""
        query = prometheus.Dataquery().expr(self.expr or "").ref_id("Anno").datasource(DATASOURCE)
        return super().to_json() | {
            "target": query.range().interval(self.step).build().to_json(),
            "step": self.step,
            "titleFormat": self.name,
            "textFormat": self.text,
        }


def of_one() -> Annotations:
    """Return the purchases of one account, each marked once whatever the step, with the stamps in words.

    The difference over one step sees every rise exactly once. ``count_values`` makes a label of the number,
    since an annotation's text can show nothing but labels.
    """
    total = ONE.exposed("cfdi_stamps_purchased_total")
    rise = ONE.own(f"{total} - {total} offset $__interval > 0")
    return Annotations("Stamps bought", f'count_values("stamps", {rise})', "{{stamps}} stamps bought", HOURLY)


def of_chosen() -> Annotations:
    """Return the accounts that stamps were bought for.

    ``CfdiStampsPurchased`` fires for an hour and leaves no series elsewhere: it is found at once, where the
    counters of thousands of accounts would have to be read over the whole range.
    """
    alerts = CHOSEN.alerts('alertname="CfdiStampsPurchased", alertstate="firing"')
    fired = f"last_over_time({alerts}[$__interval])"
    expression = f"topk({AT_ONCE}, max by (account, pac_environment) ({fired}))"
    return Annotations("Stamps bought", expression, "stamps bought for {{account}}", HOURLY)
