"""Loggers and callbacks for libraries that train: each module imports its library, so import the one that you need.

from pinyon.bridges.integrations.lightning import PinyonLogger
from pinyon.bridges.integrations.transformers import PinyonCallback
from pinyon.bridges.integrations.keras import PinyonCallback
from pinyon.bridges.integrations.optuna import PinyonCallback
"""
