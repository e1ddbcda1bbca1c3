"""The lockout guard attacked from outside: random schedules of all that can happen to real processes.

`answers` is what the provider may say, `provider` says it and writes down each login that arrives,
`history` holds that together with what became of the processes, `oracle` judges it by the guard's contract
in docs/design.md, `story` makes schedules out of a seed, `site` owns the processes, `attack` runs a story
and tells what broke.

Nothing here imports the exporter: it is a program with a command line, files, signals and pages.
"""
