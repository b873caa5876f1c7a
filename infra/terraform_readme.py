"""The tables of infra/terraform/README.md, made from the module's variables and outputs: `make terraform-readme`."""

import re
from pathlib import Path
from typing import Final

MODULE: Final = Path(__file__).resolve().parent / "terraform"
BEGIN: Final = "<!-- made by make terraform-readme -->"
END: Final = "<!-- end -->"
_BLOCK: Final = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def blocks(kind: str, file: str) -> dict[str, str]:
    """Return the bodies of the module's variables or outputs by their names."""
    text = (MODULE / file).read_text("utf-8")
    return {name: body for what, name, body in _BLOCK.findall(text) if what == kind}


def attribute(body: str, name: str) -> str | None:
    """Return an argument of a block as it is written, None if the block does not have it."""
    found = re.search(rf"^  {name} *= (.+)$", body, re.MULTILINE)
    return found[1] if found else None


def tables() -> str:
    """Return the two tables."""
    inputs = [
        f"| `{name}` | {_text(body)} | `{attribute(body, 'type')}` | {_default(body)} |"
        for name, body in blocks("variable", "variables.tf").items()
    ]
    outputs = [f"| `{name}` | {_text(body)} |" for name, body in blocks("output", "outputs.tf").items()]
    return "\n".join(
        [
            *("## Inputs", "", "| name | description | type | default |", "|---|---|---|---|", *inputs, ""),
            *("## Outputs", "", "| name | description |", "|---|---|", *outputs),
        ]
    )


def with_tables(readme: str) -> str:
    """Return the README with the tables as they are now."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}"


def _text(body: str) -> str:
    return (attribute(body, "description") or "").strip('"').replace('\\"', '"')


def _default(body: str) -> str:
    default = attribute(body, "default")
    return "required" if default is None else f"`{default}`"


if __name__ == "__main__":
    path = MODULE / "README.md"
    path.write_text(with_tables(path.read_text("utf-8")), "utf-8")
