"""A mark: something that is measured, what it takes, and how it is done in a few words for the report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.result import Row


@dataclass(frozen=True, slots=True)
class Mark:
    """`needs` are Debian packages; `method` is Markdown for the report; `run` measures."""

    name: str
    title: str
    needs: tuple[str, ...]
    method: str
    run: Callable[[], Sequence[Row]]
