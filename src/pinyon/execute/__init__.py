"""Effects: the supervisor that owns attempts, workspaces, the local target, and the driver's eyes (observe)."""
