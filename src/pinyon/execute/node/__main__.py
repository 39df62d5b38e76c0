"""``python -m pinyon.execute.node ROOT STORE [PLACE [PROJECT]]``: a supervisor on stdin and stdout."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from pinyon.execute.node.channel import Channel
from pinyon.execute.node.crash import leave_traceback
from pinyon.execute.node.supervisor import Supervisor
from pinyon.store.local import LocalStore
from pinyon.store.place import share_with_group


def main(root: str, store: str, place: str = "", project: str = "") -> None:
    """Serve one driver. A crash leaves its traceback in ``logs/supervisor.log``."""
    os.chdir(root)
    share_with_group(root, store)
    gc.set_threshold(50_000)  # records come and go without cycles
    try:
        Supervisor(LocalStore(Path(store), Path(place or store)), Channel(0, 1), project).run()
    except BaseException:
        leave_traceback(store)
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
