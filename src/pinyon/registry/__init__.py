"""Numbered models, the names that point at them, and the gates in front of the names."""
