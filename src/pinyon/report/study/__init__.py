"""The report of an experiment: who won and why, over what, and from which runs every number comes.

`study_view` makes everything that is said out of a `StudyResult`; `study_markdown`, `study_html`, `study_table`,
`study_text` and `study_json` write it down. All are pure.
"""

from pinyon.report.study.data import study_json
from pinyon.report.study.html import study_html
from pinyon.report.study.markdown import study_markdown
from pinyon.report.study.table import study_table
from pinyon.report.study.terminal import study_text
from pinyon.report.study.view import study_view

__all__ = ["study_html", "study_json", "study_markdown", "study_table", "study_text", "study_view"]
