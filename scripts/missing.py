"""What this interpreter lacks of what tests and checks need: exit 1 and one line that names it."""

from __future__ import annotations

import json
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent


def missing() -> list[str]:
    """Give the requirements that are not met, and `ostinato` itself when it is not this checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    lacking = [str(one) for one in map(Requirement, lines) if not _is_met(one)]
    return lacking if _is_this_checkout() else [*lacking, "ostinato (editable)"]


def _is_met(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def _is_this_checkout() -> bool:
    try:
        text = metadata.distribution("ostinato").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return False
    origin = json.loads(text or "{}")
    return bool(origin.get("dir_info", {}).get("editable")) and origin["url"] == ROOT.as_uri()


if __name__ == "__main__":
    found = missing()
    print(", ".join(found))
    sys.exit(1 if found else 0)
