"""The store over objects: one for all places that are no file system of ours (docs/FORMAT.md §15)."""
