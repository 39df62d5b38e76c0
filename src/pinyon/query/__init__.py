"""Views of the journals: the fold, its index on disk, the state that `decide` asks, and listings of runs."""
