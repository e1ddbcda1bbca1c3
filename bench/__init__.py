"""`make bench`, `make soak`: the finished exporter beside its peers, in one run on one machine.

Nothing here is compared across runs: other programs, another kernel or a warmer machine would decide. Each
round measures the exporter and its peers one after the other, and a ratio is taken within each round.
"""
