"""W&B's own file of a run, read without W&B.

`RunFile` gives what a ``.wandb`` file says, also of one that is still written: numbers over steps, settings, summary, name,
notes and tags. Modules: `log` (framing), `records`, `follow` (what of it becomes points and records). From W&B's
published sources: its wandb_internal.proto and its log, which is LevelDB's. Held against W&B 0.16.6 and 0.31.0.
"""

from pinyon.bridges.wandb.records import Begun, Config, Exit, History, Record, RunFile, Summary

__all__ = ["Begun", "Config", "Exit", "History", "Record", "RunFile", "Summary"]
