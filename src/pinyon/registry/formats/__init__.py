"""What model files are, told by their bytes: nothing is ever loaded."""

from pinyon.registry.formats.looking import Looked, look

__all__ = ["Looked", "look"]
