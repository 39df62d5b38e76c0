"""What lies in a folder, proposed as a pinyon.yaml. Everything is read, nothing of the user's is executed.

`draft` is the proposal and its text, `wire` makes a graph of it, `folder` finds what can be proposed, `look` reads files.
Python: `paths` (what an expression names), `opened`, `arguments`, `python` (a script), `modules` (what it imports).
Commands: `command` (one becomes a stage), `lines`, `shell`, `makefile`. Arrays: `table` (rows), `sbatch`, `array`.
"""
