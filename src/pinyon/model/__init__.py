"""The nouns: immutable, stdlib only, imported by every room.

Modules: `canonical` (the one JSON of digests), `condition` (metric op number, for a duration), `event` (records of a
journal), `graph` (resolved stages and tasks), `ids` (names of attempts, runs, writers, processes), `outcome` (what an
attempt left), `project` (what the user wrote, unresolved), `units` (durations and sizes).

Nouns are NamedTuples rather than dataclasses: the command line imports them at every call, and a frozen dataclass costs
four times the import time of a NamedTuple.
"""
