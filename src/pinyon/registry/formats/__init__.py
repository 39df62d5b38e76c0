"""What model files are, told by their bytes: nothing is ever loaded."""

from pinyon.registry.formats.looked import Looked
from pinyon.registry.formats.looking import look

__all__ = ["Looked", "look"]
