"""Benchmarks: Roster beside the same endpoints written the usual way, as ratios within one interleaved run.

`make bench` measures all and prints a table; `make bench ARGS="employee page"` some; `make bench ARGS=--quick` shows only that it works.
The first core is the server's, the second the load's: one server answers at a time, and rounds alternate (ours, peer, ours, peer, …).
"""
