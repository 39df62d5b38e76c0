"""A project opened for one call: its records, the graph of a goal, and what has to be there before anything runs."""

from pinyon.session.opened import Session, load, open_session
from pinyon.session.records import Records, open_others, open_records

__all__ = ["Records", "Session", "load", "open_others", "open_records", "open_session"]
