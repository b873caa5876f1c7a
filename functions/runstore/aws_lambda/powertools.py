"""Powertools' Logger and Metrics, without botocore.

Powertools imports botocore only to put its own name into the User-Agent of botocore's requests, of which a function
with the direct transport sends none.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_modules: dict[str, Any] = sys.modules
_absent = "botocore" not in _modules
if _absent:
    _modules["botocore"] = None  # importing it then fails, which Powertools allows for
try:
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.metrics import MetricUnit
finally:
    if _absent:
        del _modules["botocore"]

__all__ = ["Logger", "MetricUnit", "Metrics"]
