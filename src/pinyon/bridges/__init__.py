"""One package per outside system: what it knows is read, what we know is written, in its own form."""
