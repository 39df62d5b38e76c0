# What `__init__.py` gives lazily, for type checkers and editors.
from pinyon.session.table import runs as runs
from pinyon.track.current import run as run
from pinyon.track.helpers import EarlyStopping as EarlyStopping
from pinyon.track.helpers import NanGuard as NanGuard
from pinyon.track.params import Params as Params
from pinyon.track.prune import PRUNED as PRUNED
from pinyon.track.running import Run as Run

__version__: str
