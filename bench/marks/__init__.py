"""The marks, in the order in which they are measured and shown."""

from bench.mark import Mark
from bench.marks import changed, growth, memory, pause, poll, small, start, throughput, unchanged

MARKS: tuple[Mark, ...] = tuple(
    module.MARK for module in (poll, changed, unchanged, pause, small, throughput, memory, start, growth)
)
