"""Where the project lies, and how its local stack fails."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


class LocalStackError(Exception):
    """The local stack cannot start, deploy or run something; the message says what to do."""
