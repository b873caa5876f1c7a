"""How the programs of the local stack end."""

import signal
import sys
from types import FrameType
from typing import Final

EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130


def exit_on_signals() -> None:
    """Let SIGINT and SIGTERM unwind the program as exceptions do, so that everything started is stopped.

    A program that a shell starts in the background inherits that SIGINT is ignored; here it never is.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, signal.default_int_handler)
