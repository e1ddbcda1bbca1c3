"""Loaded by Python at the start of a process that has this folder on its path: a wall clock that can jump.

`CLOCK_OFFSET_FILE` holds the seconds by which it differs from the machine's, as a C double; who writes
another number there lets it jump. The monotonic clock is left alone, as a real jump leaves it.
"""

import mmap
import os
import struct
import time

with open(os.environ["CLOCK_OFFSET_FILE"], "rb") as _file:
    _offset = mmap.mmap(_file.fileno(), 8, access=mmap.ACCESS_READ)

_time, _time_ns = time.time, time.time_ns


def _jumped() -> float:
    seconds: float = struct.unpack("d", _offset[:8])[0]
    return _time() + seconds


def _jumped_ns() -> int:
    seconds: float = struct.unpack("d", _offset[:8])[0]
    return _time_ns() + round(seconds * 1e9)


time.time, time.time_ns = _jumped, _jumped_ns
