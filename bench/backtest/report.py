"""The results as tables in Markdown: the marks by way to tell, and the forecast's by kind of company."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bench.backtest.kinds import KINDS
from bench.backtest.run import Results, Scores
from bench.backtest.score import Score, Summary, summary

BEGIN, END = "<!-- backtest -->", "<!-- end -->"

STAR: Final = " \\*"

COUNTED: Final = tuple(kind.name for kind in KINDS if kind.counts)
TEXTS: Final = {kind.name: kind.text for kind in KINDS}

_MARKS: Final[Sequence[tuple[str, str, Callable[[Summary], str]]]] = (
    ("critical 24 h before, mean of the kinds", "≥ 98.5 %", lambda one: f"{one.day_before:.1f} %"),
    ("critical one business day before", "≥ 97.5 %", lambda one: f"{one.business_day_before:.1f} %"),
    ("worst kind, 24 h", "≥ 93 %", lambda one: f"{one.worst:.0f} % ({one.worst_kind})"),
    ("critical with over 14 days left", "≤ 0.8 %", lambda one: f"{one.far:.2f} %"),
    ("longest median lead of a critical", "≤ 150 h", lambda one: f"{one.lead:.0f} h ({one.lead_kind})"),
    ("needless warnings, a month and account", "≤ 0.15", lambda one: f"{one.needless_warnings:.2f}"),
    ("needless criticals, a month and account", "≤ 0.03", lambda one: f"{one.needless_criticals:.3f}"),
)


def document(results: Results) -> str:
    """Return all tables."""
    rivals = list(results.tuned)
    parts = [
        "On the kinds that were kept apart:",
        _marks([(rival, results.kinds_apart[rival]) for rival in rivals]),
        "On all kinds and seeds:",
        _marks([(rival, results.all(rival)) for rival in rivals]),
        "The forecast on its own, by what it was tuned on:",
        _marks(
            [
                ("tuned on", results.tuned["forecast"]),
                ("same kinds, another seed", results.seeds_apart["forecast"]),
                ("kinds kept apart", results.kinds_apart["forecast"]),
            ]
        ),
        "The forecast by kind, all seeds, kinds that were kept apart with a star:",
        _kinds(results.all("forecast"), results.all("earlier rules")),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def inserted(text: str, tables: str) -> str:
    """Return a document with the tables between its markers."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{tables}\n{END}{rest.split(END, 1)[1]}"


def _marks(columns: Sequence[tuple[str, Scores]]) -> str:
    columns = [(name, scores) for name, scores in columns if set(scores) & set(COUNTED)]
    summaries: list[Summary] = [summary(scores, COUNTED) for _, scores in columns]
    rows = [[text, mark, *(shown(one) for one in summaries)] for text, mark, shown in _MARKS]
    return _table(["", "mark", *(name for name, _ in columns)], rows) if columns else ""


def _kinds(scores: Scores, today: Scores) -> str:
    rows = [
        [
            f"{kind.name}{STAR if kind.apart else ''}",
            kind.text,
            *_figures(scores[kind.name], today[kind.name]),
        ]
        for kind in KINDS
        if kind.name in scores
    ]
    measured = ["24 h", "1 business day", "over 14 days left", "median lead", "ends"]
    return _table(["kind", "", *measured, "earlier rules: 24 h"], rows)


def _figures(score: Score, today: Score) -> list[str]:
    return [
        f"{score.share_day_before:.0f} %",
        f"{score.share_business_day_before:.0f} %",
        f"{score.share_far:.1f} %",
        f"{score.lead:.0f} h",
        str(score.ends),
        f"{today.share_day_before:.0f} %",
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])
