"""Home Assistant's configuration from git, checked before it is live: a guided tour.

A pass ends first what an earlier one left open (`switch`; `finish` does that alone, for whoever starts Home Assistant,
and `turn` keeps them apart). It fetches into a bare repository of its own (`mirror`, by `git`), with what a commit only
points to (`gather`, `parts`), asks who signed it (`signatures`), lists what the wanted commit, the commit that is live
and the disk have (`tree`, `disk`), and decides what would change, what stays and where both sides changed (`changes`);
changes of the user's can be given back (`give`). The files that would change are laid aside and checked together with
everything that only the disk has (`home`, `supervisor`); only what passed is made live, all of it or nothing, and read
by Home Assistant, with a restart or without (`needs`); `restore` is the way back to the user's own files. `memory`
knows the commit that is live, `puller` puts the steps in this order, `follower` repeats them whenever somebody wants it
(`bell`): a forge (`webhook`), a button of the page (`page`), both behind `web`, an automation (`told`), or nobody for a
while. `words` are for the user. `history` and `figures` tell what became of the passes, and `verdicts` a `forge`.

`tree`, `parts`, `forge`, `changes`, `needs`, `options`, `page`, `webhook`, `restore`, `words`, `flags` and `worktree`
decide: they await nothing and read no file. Whoever runs Home Assistant is behind the port `home`; what Home Assistant
itself is asked, by the API that it always has, is in `core`.

Without a Supervisor the same image is a program of its own (`alone`, with its options in `flags` and `hidden`): Core's
API checks what is live on trial (`standalone`), and the Kubernetes API restarts (`kube`).
"""
