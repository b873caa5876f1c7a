"""The entry point of the command `runstore`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command, or say what has to be installed first."""
    try:
        from runstore_inspector.cli import command  # noqa: PLC0415 the extra's packages may be missing
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in {"click", "jinja2", "rich", "starlette", "uvicorn"}:
            sys.exit(f"runstore: the package {missing.name} is missing: pip install 'runstore[inspector]'")
        raise
    command(prog_name="runstore")


if __name__ == "__main__":
    main()
