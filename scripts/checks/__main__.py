"""Runs the checks: all of them, or those named. One line a check, then what it found."""

from __future__ import annotations

import subprocess
import sys
import time
import traceback
from typing import TYPE_CHECKING

from checks import budget, changelog, cycles, documented, doors, hidden_imports, names, reference, sizes, types_ui
from checks.tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Check = Callable[[Callable[[str], None]], Iterable[str]]


def program(*words: str, says: str = "") -> Check:
    """Give a check that runs this interpreter; what it prints is the finding when it fails, or never `says` so."""

    def run(_: Callable[[str], None]) -> list[str]:
        ended = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return [] if ended.returncode == 0 and says in ended.stdout else [ended.stdout.strip() or "it did not run"]

    return run


LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"

CHECKS: dict[str, tuple[str, Check]] = {
    "lint": ("ruff finds nothing", program("-m", "ruff", "check", "--quiet", "--output-format=concise")),
    "format": ("the code is formatted (mend: ruff format)", program("-m", "ruff", "format", "--check", "--quiet")),
    "types": ("mypy --strict finds nothing", program("-m", "mypy", "--no-error-summary")),
    "types-ui": ("tsc --strict finds nothing in the web interface", lambda note: types_ui.violations(ROOT, note)),
    "layers": ("a package imports only from below", program("-c", LINT_IMPORTS, "--no-logo", says="Contracts:")),
    "doors": ("upward import strings are the listed ones", lambda _: doors.violations(ROOT)),
    "cycles": ("no import cycle, hidden imports counted", lambda _: cycles.violations(ROOT)),
    "hidden-imports": ("no import inside a function", lambda _: hidden_imports.violations(ROOT)),
    "sizes": ("no file above 600 lines of code, no function above 60", lambda _: sizes.violations(ROOT)),
    "names": ("modules are nouns with a first line", lambda _: names.violations(ROOT)),
    "reference": ("docs/reference is up to date", lambda _: reference.violations(ROOT)),
    "documented": ("documentation and code name the same things", lambda _: documented.violations(ROOT)),
    "changelog": ("the change has a fragment", lambda _: changelog.violations(ROOT)),
    "budget": ("the first flow and `ostinato version` are quick", lambda note: budget.violations(ROOT, note)),
}


def main(words: list[str]) -> int:
    """Run the checks named by `words`, or all; 0 when nothing was found, 1 when something was, 2 for a wrong name."""
    if words == ["--list"]:
        print("\n".join(f"{name:15} {what}" for name, (what, _) in CHECKS.items()))
        return 0
    unknown = [word for word in words if word not in CHECKS]
    if unknown:
        print(f"There is no check {', '.join(unknown)}. There are: {', '.join(CHECKS)}.", file=sys.stderr)
        return 2
    failed = [name for name in words or CHECKS if not _passes(name)]
    print(
        f"\n{len(failed)} of {len(words or CHECKS)} checks failed: {', '.join(failed)}"
        if failed
        else "\nall checks passed"
    )
    return 1 if failed else 0


def _passes(name: str) -> bool:
    what, check = CHECKS[name]
    notes: list[str] = []
    begin = time.perf_counter()
    try:
        found = list(check(notes.append))
    except Exception:  # noqa: BLE001  a check that breaks is a check that fails; the others still run
        found = [f"the check itself broke: {traceback.format_exc(limit=-3).rstrip()}"]
    took_s = time.perf_counter() - begin
    print(f"{'FAILED' if found else 'ok':6} {name:15} {took_s:6.1f} s   {'; '.join(notes) or what}", flush=True)
    for line in found:
        print("       " + line.replace("\n", "\n       "), flush=True)
    return not found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
