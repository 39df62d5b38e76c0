"""Views for people and programs: plans, runs, and later leaderboards and reports."""
