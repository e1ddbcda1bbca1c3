"""Tables of the overview: all accounts, and the alerts that fire."""

from grafana_foundation_sdk.builders import prometheus, table
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model

from dashboards import meanings
from dashboards.board import to_account
from dashboards.meanings import DAYS_UNIT, STAMPS_UNIT
from dashboards.panels import DATE_UNIT, listing, one_row_each, rows
from dashboards.selectors import CHOSEN, LISTED
from dashboards.standing import BALANCE, DEPLETION, days_left, due, polls, stamps


def all_accounts() -> table.Panel:
    names = {
        "account": "account",
        "pac_environment": "pac_environment",
        "Value #stage": "Stamps",
        "Value #until": "Lasts until",
        "Value #days": "Days left",
        "Value #balance": "Balance",
        "Value #usual": "Usual day",
        "Value #known": "Days known",
        "Value #polls": "Polls",
        "Value #code": "Last answer",
        "Value #age": "Age of the balance",
    }
    panel = listing(
        "Accounts, the first to run out first",
        "Sorted by when the stamps run out; an account below its warning threshold counts as one that has "
        "seven days, one below its critical threshold or without any balance as one that has two. Only as "
        "many accounts as chosen above are listed. No date: nothing is used, it lasts for over a year, or no "
        "whole day of use is known yet.",
        [
            _column(due(LISTED), "due"),
            _column(stamps(LISTED), "stage"),
            _column(f"1000 * {LISTED.recorded(DEPLETION)}", "until"),
            _column(days_left(LISTED), "days"),
            _column(LISTED.recorded(BALANCE), "balance"),
            _column(_exposed("cfdi_stamps_usual_day"), "usual"),
            _column(_exposed("cfdi_stamps_history_days"), "known"),
            _column(polls(LISTED), "polls"),
            _column(_exposed("cfdi_account_last_status_code"), "code"),
            _column(f"time() - {_exposed('cfdi_account_last_success_timestamp_seconds')}", "age"),
        ],
        size=(24, 14),
    )
    coloured = look.TableColoredBackgroundCellOptions()
    text = look.TableColorTextCellOptions()
    in_days = meanings.days_left().build()
    link = to_account("__data.fields.account", "__data.fields.pac_environment")
    columns = {
        "account": _looks(links=[link]),
        "pac_environment": _looks(width=150),
        "Stamps": _looks(mappings=meanings.stages(), cell=coloured, width=100, align="left"),
        "Lasts until": _looks(unit=DATE_UNIT, width=145),
        "Days left": _looks(unit=DAYS_UNIT, decimals=1, thresholds=in_days, cell=text, width=105),
        "Balance": _looks(unit=STAMPS_UNIT, width=100),
        "Usual day": _looks(unit=STAMPS_UNIT, width=100),
        "Days known": _looks(unit=DAYS_UNIT, width=105),
        "Polls": _looks(mappings=meanings.polls(), cell=text, width=110, align="left"),
        "Last answer": _looks(mappings=meanings.codes(), cell=text, width=320, align="left"),
        "Age of the balance": _looks(unit="s", width=150),
    }
    panel = panel.transformations(one_row_each(["Value #due"], names, by="Value #due"))
    for name, properties in columns.items():
        panel = panel.override_by_name(name, properties)
    return panel


def _looks(
    *, cell: object = None, width: int = 0, align: str = "", **properties: object
) -> list[model.DynamicConfigValue]:
    own = {"custom.cellOptions": cell, "custom.width": width, "custom.align": align}
    looks = properties | {name: value for name, value in own.items() if value}
    return [model.DynamicConfigValue(name, value) for name, value in looks.items()]


def _exposed(series: str) -> str:
    """The last value within a day: it is there while the exporter is not."""
    return LISTED.joined(f"last_over_time({LISTED.exposed(series)}[1d])")


def _column(expression: str, ref: str) -> prometheus.Dataquery:
    """Ask for a column. Labels tell the rows apart, so all columns have the same ones: no series' name."""
    return rows(f"max by (cluster, account, pac_environment) ({expression})", ref)


def alerts() -> table.Panel:
    panel = listing(
        "Alerts that fire",
        "How often each alert of the rules in alerts/ fires now, over all chosen accounts. Those of the "
        "exporter are among them where no account is chosen. Alertmanager may keep some of them quiet.",
        [rows(f"sort_desc(count by (alertname, severity) ({firing()}))", "A")],
        size=(12, 8),
    )
    names = {"alertname": "Alert", "severity": "Severity", "Value": "Firing"}
    tidy = model.DataTransformerConfig(
        "organize", options={"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": names}
    )
    return panel.transformations([tidy]).no_value("none fires")


def firing() -> str:
    """Select the alerts that fire: those on chosen accounts, and those on exporters."""
    return CHOSEN.alerts('alertstate="firing", alertname=~"Cfdi.+"')
