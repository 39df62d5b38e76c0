"""Facts that a run records unasked."""
