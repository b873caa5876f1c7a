"""How the programs of the local stack end."""

import signal
import sys
from types import FrameType
from typing import Final

EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130


def exit_on_sigterm() -> None:
    """Let SIGTERM unwind the program as an exception does, so that everything started is stopped."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
