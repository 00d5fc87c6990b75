"""Home Assistant's configuration from git, checked before it is live: a guided tour.

A pass ends first what an earlier one left open (`switch`). It fetches into a bare repository of its own (`mirror`),
lists what the wanted commit, the commit that is live and the disk have (`tree`, `disk`), and decides what would change,
what stays and where both sides changed (`changes`). The files that would change are laid aside and checked together
with everything that only the disk has (`home`, `supervisor`); only what passed is made live, all of it or nothing, and
read by Home Assistant, with a restart or without (`needs`). `memory` knows the commit that is live, `puller` puts the
steps in this order, `__main__` repeats them.

`tree`, `changes`, `needs` and `options` decide: they await nothing and read no file. Whoever runs Home Assistant is
behind the port `home`.
"""
