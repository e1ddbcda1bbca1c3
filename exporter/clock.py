"""The two clocks, as the module ``time`` has them; tests inject their own."""

from typing import NamedTuple, Protocol


class Moment(NamedTuple):
    """A moment on both clocks, in seconds."""

    time: float
    monotonic: float


class Clock(Protocol):
    """Times in seconds."""

    def time(self) -> float:
        """Return Unix time: for what people and Prometheus see. It can jump."""
        ...

    def monotonic(self) -> float:
        """Return a time that only goes forward: for delays."""
        ...
