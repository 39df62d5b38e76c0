"""``python -m pinyon.cli``."""

from pinyon.cli import main

main()
