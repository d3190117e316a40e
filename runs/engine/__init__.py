"""The engine: claims due runs, plans, performs their steps, records, reaps.

`plan` and `retry` are pure; `claim`, `load`, `record`, `reap` speak SQL; `drain` is the
loop that a worker of the cluster sits in. The rules are in docs/architecture.md.
"""
