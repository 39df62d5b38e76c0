"""Pinyon takes machine-learning experiments from code to deployed model, and forgets nothing on the way."""

__version__ = "0.1.0.dev0"
