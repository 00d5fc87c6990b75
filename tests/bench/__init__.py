"""Figures: what the Supervisor costs, each one against a baseline of the same run or with the aim that it has.

`make bench` runs all of them. Machines differ and are busy, so nothing here is a verdict: where something can be
compared with what it would be without us, the two are measured in turn and their ratio is the figure.
"""
