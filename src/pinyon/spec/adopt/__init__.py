"""What lies in a folder, proposed as a pinyon.yaml. Everything is read, nothing of the user's is executed.

Modules: `draft` (the proposal and its text), `paths` (what an expression of Python names), `python` (what a script reads,
writes, imports and takes), `command` (a command line becomes a stage), `shell` and `makefile` (files of commands),
`array` and `sbatch` (arrays over the lines of a file), `wire` (edges, and doubts where there can be none), `folder` (which
of these lies there).
"""
