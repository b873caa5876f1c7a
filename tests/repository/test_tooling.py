"""What the repository's own tools rely on: lock files, the version, the check of state machines."""

import json
import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest

from runstore._version import __version__
from tests.checks import state_machines

ROOT = Path(__file__).parents[2]
DEV_LOCK = ROOT / "requirements-dev.lock"
BUNDLE = ROOT / "functions" / "requirements.txt"
LOCKS = [*sorted(ROOT.glob("requirements-*.lock")), BUNDLE]
# boto3 and what it needs; jmespath is one of these, but Powertools needs it too and pip wants every name hashed.
RUNTIME = {"boto3", "botocore", "s3transfer", "urllib3", "python-dateutil", "six"}


def pins(lock: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Return {package: (version, hashes)} of a lock file."""
    found = {}
    for entry in re.split(r"\n(?=\w)", lock.read_text("utf-8")):
        if pin := re.match(r"([\w-]+)==([^ ;]+)", entry):
            found[pin[1]] = (pin[2], frozenset(re.findall(r"--hash=(sha256:[0-9a-f]{64})", entry)))
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_hashes_and_no_index(lock: Path) -> None:
    """A lock file works behind any mirror, and pip refuses a package that is not the one that was locked."""
    text = lock.read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash)", text, re.MULTILINE), "an option would decide where packages come from"
    assert pins(lock)
    assert all(hashes for _, hashes in pins(lock).values())


def test_the_lock_of_node_packages_names_hashes_and_no_registry() -> None:
    """What npm installs was locked too, from whichever registry its user has."""
    lock = json.loads((ROOT / "tests" / "checks" / "package-lock.json").read_text("utf-8"))
    packages = [entry for name, entry in lock["packages"].items() if name]
    assert packages
    assert all("integrity" in entry and "resolved" not in entry for entry in packages)


def test_the_bundle_holds_the_packages_of_the_lock() -> None:
    """Lambda runs the versions that the tests ran."""
    locked = pins(DEV_LOCK)
    assert pins(BUNDLE) == {name: locked[name] for name in pins(BUNDLE)}


def test_the_bundle_holds_powertools_and_what_it_needs_alone() -> None:
    """The bundle has nothing that no function imports, and nothing missing that Lambda's runtime does not bring."""
    needed: set[str] = set()
    pending = ["aws-lambda-powertools"]
    while pending:
        name = pending.pop()
        needed.add(name)
        plain = [each for each in requires(name) or [] if ";" not in each]
        pending += [match[0] for each in plain if (match := re.match(r"[\w-]+", each)) and match[0] not in needed]
    assert pins(BUNDLE).keys() == {name.replace("_", "-") for name in needed} - RUNTIME


def test_the_changelog_knows_the_version() -> None:
    """The changelog has the section of the version in the package, or the one of what is not released yet."""
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] in {"Unreleased", __version__}


def test_the_wheel_needs_boto3_alone() -> None:
    """Users who install the package get boto3 with it and nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert [re.split("[<>=]", name)[0] for name in project["dependencies"]] == ["boto3"]


@pytest.mark.parametrize(
    ("definition", "checked"),
    [
        ('{"Resource": "${PushItemArn}"}', f'{{"Resource": "{state_machines.TEXT}"}}'),
        ('{"MaxConcurrency": ${Width}, "a": [${B}]}', '{"MaxConcurrency": 1, "a": [1]}'),
        ('{"name": "a-${Stage}-b"}', f'{{"name": "a-{state_machines.TEXT}-b"}}'),
    ],
)
def test_placeholders_are_filled_before_a_state_machine_is_checked(definition: str, checked: str) -> None:
    """The validator sees JSON: text where a placeholder stands in quotes, a number where it does not."""
    assert state_machines.substitute(definition) == checked


def test_a_broken_state_machine_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check fails when the validator refuses a file, when a file is not JSON and when there is no file at all."""
    monkeypatch.setattr(state_machines, "FOLDERS", [tmp_path])
    assert state_machines.main("true") == 1
    machine = tmp_path / "machine.asl.json"
    machine.write_text("{}")
    assert (state_machines.main("true"), state_machines.main("false")) == (0, 1)
    machine.write_text("{")
    assert state_machines.main("true") == 1
