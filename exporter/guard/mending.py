"""What is done to the guard's rows whenever the storage is opened."""

import sqlite3


def mend_times(connection: sqlite3.Connection, now: float) -> None:
    """Undo what a clock that was ahead has left: charges and resumptions that count for too long."""
    connection.execute("UPDATE charge SET at = ? WHERE at > ?", (now, now))
    connection.execute("UPDATE resumption SET at = ? WHERE at > ?", (now, now))
