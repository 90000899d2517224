"""Faults: what becomes of Roster when something breaks, each scenario with one figure.

`make faults` runs all of them; `make faults ARGS="stop kill"` some; `ARGS=--quick` shows only that they work. Everything runs on this
machine, on free ports, is bounded in count and time, and ends what it has started. docs/operations.md has the list and the figures.
"""
