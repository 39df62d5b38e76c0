"""Proposals for the search phases of experiments: `for_phase` makes the sampler that a phase names.

A sampler keeps nothing that matters: it is given all trials at each question. So a search that was killed goes on as it
would have, and two processes ask alike. Others are plugged in as entry points of the group ``pinyon.samplers``: a name
and a `Factory`, a callable of (space, direction, seed). What they propose is checked.
"""

from __future__ import annotations

from pinyon.execute.samplers.points import Points
from pinyon.execute.samplers.protocol import Direction, Factory, Sampler, Trial
from pinyon.execute.samplers.registry import for_phase, make, names, seed_of

__all__ = ["Direction", "Factory", "Points", "Sampler", "Trial", "for_phase", "make", "names", "seed_of"]
