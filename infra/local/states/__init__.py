"""Step Functions on the local stack: ministack's interpreter, with the parts replaced that differ from AWS.

ministack goes on to parse paths and expressions, to store executions, and to call services. How an execution walks
through its states, waits, fails, ends, and is stopped, is this package's. What still differs from AWS is listed in
docs/your-app-locally.md.
"""

from infra.local.states.install import install_states

__all__ = ["install_states"]
