"""A skip is a promise that this machine cannot run the test: hold it.

Every skip says what is missing: ``needs root: …``, ``needs linux: …`` or ``needs NAME: …``. A skip that says
something else fails the run. Under ``CI=true`` so does one that the machine could have run: any skip at all for
root on Linux, where scripts/setup-services installs everything, and ``needs linux`` for everyone on Linux.
"""

from __future__ import annotations

import os
import re
import sys

import pytest

REASON = re.compile(r"(?:Skipped: )?needs (?P<what>[\w.+-]+): \S")
unexcused: dict[str, str] = {}


def excused(reason: str, *, ci: bool, linux: bool, root: bool) -> bool:
    """Whether a machine of this kind may leave the test out."""
    match = REASON.match(reason)
    if not match:
        return False
    return not (ci and linux and (root or match["what"] == "linux"))


def note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    here = {"ci": os.environ.get("CI") == "true", "linux": sys.platform == "linux", "root": os.geteuid() == 0}
    if not excused(reason, **here):
        unexcused[report.nodeid] = reason


pytest_runtest_logreport = note
pytest_collectreport = note


def pytest_sessionfinish(session: pytest.Session) -> None:
    if unexcused and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for nodeid, reason in unexcused.items():
        terminalreporter.write_line(f"FAILED {nodeid} - skipped without an excuse: {reason}", red=True)
