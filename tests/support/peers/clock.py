"""A clock that stands still until a test moves it."""


class FakeClock:
    """Stands in for the module `time` where code takes its clock as a parameter."""

    def __init__(self, time: float = 1_700_000_000.0, monotonic: float = 1_000.0) -> None:
        """Begin at a Unix time and at a monotonic time that no code can take for one another."""
        self.time_seconds = time
        self.monotonic_seconds = monotonic

    def time(self) -> float:
        """Unix time in seconds; set `time_seconds` to let the system's clock jump."""
        return self.time_seconds

    def monotonic(self) -> float:
        """Seconds since some start; set `monotonic_seconds` to move it alone."""
        return self.monotonic_seconds

    def advance(self, seconds: float) -> None:
        """Let time pass on both."""
        self.time_seconds += seconds
        self.monotonic_seconds += seconds
