"""Leaving other trackers behind, and leaving Pinyon.

`nouns` says what every tracker has in common. A `Source` gives the runs of one store of one tool, a `Sink` takes them;
each kind is a module of its own, and `kinds` names them. `bring` writes what a source gives into the project, `take` reads
runs out of it. Nothing here needs the other tool to be installed, except for writing into MLflow and W&B, which only their
own clients can.
"""
