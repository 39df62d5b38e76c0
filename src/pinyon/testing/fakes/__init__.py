"""Stores that each break one rule: the contract suite must notice every one of them.

A suite that passes a sound store proves little until it is known to fail a faulty one.
"""

from __future__ import annotations

from pinyon.testing.fakes import blobs, deletion, journals, refs, writers
from pinyon.testing.fakes.base import FAKES, Fake

__all__ = ["FAKES", "Fake", "blobs", "deletion", "journals", "refs", "writers"]
