"""Validate every state machine with asl-validator, which looks where the linters of templates do not.

The files hold `${Name}` placeholders for SAM and Terraform alike; what is validated is the text with values in their
place. Usage: python -m tests.checks.state_machines ASL_VALIDATOR
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "infra" / "statemachines", ROOT / "functions" / "runstore" / "workflow"]
# An Amazon Resource Name fits wherever these files take text; outside quotes only a number can stand.
TEXT = "arn:aws:lambda:eu-central-1:123456789012:function:name"
NUMBER = "1"


def substitute(definition: str) -> str:
    """Return the state machine with a value for every placeholder."""
    definition = re.sub(r"(?<=[:\[,])(\s*)\$\{\w+\}", rf"\g<1>{NUMBER}", definition)
    return re.sub(r"\$\{\w+\}", TEXT, definition)


def problem(validator: str, path: Path) -> str | None:
    """Return what is wrong with one file, or None."""
    definition = substitute(path.read_text("utf-8"))
    try:
        json.loads(definition)
    except json.JSONDecodeError as error:
        return f"not JSON: {error}"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(definition)
        file.flush()
        result = subprocess.run(
            [validator, "--json-path", file.name], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    if result.returncode == 0:
        return None
    return f"{result.stdout}{result.stderr}".strip() or "refused without a reason"


def main(validator: str) -> int:
    """Print one line for each file and what is wrong with it; return 1 if anything is."""
    paths = [path for folder in FOLDERS for path in sorted(folder.glob("*.asl.json"))]
    problems = {path: problem(validator, path) for path in paths}
    for path, found in problems.items():
        sys.stdout.write(f"{path.name}: {found or 'valid'}\n")
    return 1 if not paths or any(problems.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
