"""What a training script uses: the current run, its parameters, points, artifacts and checkpoints (docs/track.md).

``import pinyon`` is enough: `pinyon.run` and the rest come from here when they are first used. The standard library does
for everything but blobs. Nothing is imported here, since supervisors use `prune` alone.
"""
