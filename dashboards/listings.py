"""Tables of the overview: all accounts, and the alerts that fire."""

from typing import Final

from grafana_foundation_sdk.builders import prometheus, table
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model

from dashboards import meanings
from dashboards.board import to_account
from dashboards.meanings import DAYS_UNIT, STAMPS_UNIT
from dashboards.panels import listing, one_row_each, rows
from dashboards.selectors import CHOSEN
from dashboards.standing import (
    BALANCE,
    DAYS_LEFT,
    LAST_CODE,
    USUAL_DAY,
    among,
    most_urgent,
    polls,
    stage_of,
)

_LISTED: Final = most_urgent(CHOSEN, "$limit")


def all_accounts() -> table.Panel:
    names = {
        "account": "account",
        "pac_environment": "pac_environment",
        "Value #stage": "Stamps",
        "Value #days": "Days left",
        "Value #balance": "Balance",
        "Value #usual": "Usual day",
        "Value #polls": "Polls",
        "Value #code": "Last answer",
        "Value #age": "Age of the balance",
    }
    age = f"time() - {CHOSEN.joined(CHOSEN.exposed('cfdi_account_last_success_timestamp_seconds'))}"
    panel = listing(
        "Accounts, the most urgent first",
        "Sorted by what the balance asks for, then by the days left. Only as many accounts as chosen "
        "above are listed.",
        [
            _column(_LISTED, "urgency"),
            _column(stage_of(_LISTED), "stage"),
            _column(among(CHOSEN.recorded(DAYS_LEFT), _LISTED), "days"),
            _column(among(CHOSEN.recorded(BALANCE), _LISTED), "balance"),
            _column(among(CHOSEN.recent(USUAL_DAY), _LISTED), "usual"),
            _column(among(f"({polls(CHOSEN)})", _LISTED), "polls"),
            _column(among(CHOSEN.recorded(LAST_CODE), _LISTED), "code"),
            _column(among(age, _LISTED), "age"),
        ],
        size=(24, 14),
    )
    coloured = model.DynamicConfigValue("custom.cellOptions", look.TableColoredBackgroundCellOptions())
    text = model.DynamicConfigValue("custom.cellOptions", look.TableColorTextCellOptions())
    link = to_account("__data.fields.account", "__data.fields.pac_environment")
    days = [
        model.DynamicConfigValue("unit", DAYS_UNIT),
        model.DynamicConfigValue("decimals", 1),
        model.DynamicConfigValue("thresholds", meanings.days_left().build()),
        text,
    ]
    stamps_unit = [model.DynamicConfigValue("unit", STAMPS_UNIT)]
    return (
        panel.transformations(one_row_each(["Value #urgency"], names, by="Value #urgency"))
        .override_by_name("account", [model.DynamicConfigValue("links", [link])])
        .override_by_name("Stamps", [model.DynamicConfigValue("mappings", meanings.stages()), coloured])
        .override_by_name("Days left", days)
        .override_by_name("Balance", stamps_unit)
        .override_by_name("Usual day", stamps_unit)
        .override_by_name("Polls", [model.DynamicConfigValue("mappings", meanings.polls()), text])
        .override_by_name("Last answer", [model.DynamicConfigValue("mappings", meanings.codes()), text])
        .override_by_name("Age of the balance", [model.DynamicConfigValue("unit", "s")])
    )


def _column(expression: str, ref: str) -> prometheus.Dataquery:
    """Ask for a column. Labels tell the rows apart, so all columns have the same ones: no series' name."""
    return rows(f"max by (account, pac_environment) ({expression})", ref)


def alerts() -> table.Panel:
    firing = 'ALERTS{alertstate="firing", alertname=~"Cfdi.+"}'
    panel = listing(
        "Alerts that fire",
        "How often each alert of the rules in alerts/ fires now, over all accounts. Those of the exporter "
        "are among them. Alertmanager may keep some of them quiet.",
        [rows(f"sort_desc(count by (alertname, severity) ({firing}))", "A")],
        size=(24, 8),
    )
    names = {"alertname": "Alert", "severity": "Severity", "Value": "Firing"}
    tidy = model.DataTransformerConfig(
        "organize", options={"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": names}
    )
    return panel.transformations([tidy]).no_value("none fires")
