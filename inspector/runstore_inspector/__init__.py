"""See a run: the command `runstore` and its page, `runstore ui`.

The extra `inspector` of the wheel brings what this package needs. Nothing of it is in the Lambda layer or in the
functions' bundle. It reads with the user's own credentials and needs read permissions alone; what a page or command
costs in read units is always shown.
"""

from __future__ import annotations

from runstore_inspector.starting import StartedPage

__all__ = ["StartedPage"]
