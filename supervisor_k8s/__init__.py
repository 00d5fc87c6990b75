"""The Home Assistant Supervisor for Kubernetes: a guided tour.

A request or a watch event becomes a change in the cluster in five steps: *check* (pure, may refuse), *record* (the
intent reaches the disk), *converge* (server-side apply of what was recorded), *wait* (on the watch cache, for this very
launch), *answer*. The watch loop calls the same `converge`, so drift, lost events and our own restarts heal themselves.

The layers, top to bottom; each may import what stands below it, never above (import-linter holds this):

- `__main__`: reads the settings, sets up logging, runs.
- `start`: waits for our turn, gathers what the outside gives. `self_check`: what a new version looks at before it takes
  over.
- `bootstrap`, `exposure`, `upkeep`, `wiring`: the composition root. Builds and connects every part; nothing else does.
- `house`, `surroundings`: the life of all parts together, from start to end; where we run.
- `api/`: the only package that serves HTTP. Handlers read, call one service, show. `front`: the nginx before it, which
  takes pages of add-ons to them without us, once `ingress_gate` has said who may.
- `services/`: the verbs, one class per noun. They know no HTTP and not one another.
- `reconcile`, `jobs`: `converge` and the loop around it; tracked work with progress.
- `cluster/`: the only package that knows the Kubernetes client: apply, watch cache, pods.
- `store/`: the only one that runs git. `state/`: the only one that writes our files. `remote/`: clients of others,
  first of all Home Assistant Core. `events`: typed signals inside the process.
- `metrics`: every Prometheus metric, declared once. `waits`: for an event, with a limit.
- `model/`: decides. Pure: no await, clock, file, environment, log. `model/desired/` renders manifests as plain dicts.
- `settings`, `errors`: what everybody may import.
- `setting_kinds`: how a setting's text is read.
"""
