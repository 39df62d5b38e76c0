"""What proves a backend, a target or a bridge: contract suites, fakes that break one rule each, faults on demand.

Shipped with Pinyon, imported by none of it; needs pytest and Hypothesis. Modules: `store` (the suite a store subclasses;
its rules stand in `blobs`, `refs`, `journals`), `objects` (the same for a place of objects), `servers` (real ones, for as
long as a test lasts), `proxy` (breaks requests on purpose),
`fakes` (stores that each break one rule, which the suite must notice),
`machine` (a Hypothesis state machine over any store), `faulty` (a store that fails at the n-th call), `layout` (the
stored bytes behind a store, to damage them), `processes` (children whose answers come through a pipe).
"""
