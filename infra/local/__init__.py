"""The local stack: the repository's own template on ministack, for the demo, for tests and for trying things out.

Development only; never part of the Lambda bundle.
"""

from infra.local.project import LocalStackError
from infra.local.stack import Execution, FunctionError, LocalStack

__all__ = ["Execution", "FunctionError", "LocalStack", "LocalStackError"]
