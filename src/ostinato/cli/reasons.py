"""Why each error comes, in one or two sentences: what `ostinato explain CODE` adds to message and hint."""

from __future__ import annotations

from typing import Final

REASONS: Final[dict[str, str]] = {
    "target-not-found": "The part before the colon of FILE:FLOW is a path, looked for in the working directory.",
    "flow-not-found": "The file was loaded, but no flow in it has that name. Only names at the top of the file count.",
    "not-a-flow": "The file has something of that name, but without `@flow` it is not recorded.",
    "not-a-task": "`@task` and `@flow` stand above functions; they got something else.",
    "file-does-not-load": "Ostinato imports the file to find the flow; the import itself raised an exception.",
    "option-invalid": "An option of `@flow` or `@task` has a value that cannot work.",
    "parameter-unknown": "Parameters are checked against the signature of the flow before anything runs.",
    "parameter-missing": "The flow has a parameter without default, and no value was given.",
    "parameter-invalid": "The value cannot be made into the type that the flow declares. Nothing has run yet.",
    "arguments-misfit": "Arguments are bound to the signature of the flow, as Python does it, before anything runs.",
    "query-invalid": "Lists take one query grammar: `field:value` terms and free words; this text does not follow it.",
    "run-not-found": "A run is named by its name, its id, at least four first characters of the id, or `last`.",
    "run-ambiguous": "The first characters of an id fit more than one run. Ids begin with their time of making.",
    "code-unknown": "Error codes are words joined by hyphens, as printed between brackets: `error[run-not-found]`.",
    "no-run-context": "The call needs to know which run it belongs to, and there is none where it was made.",
    "task-key-taken": "`key=` names a call for resume, so within one parent each key stands for one call.",
    "variable-not-found": "Variables live in the home; this one was never set, or was unset.",
    "setting-invalid": "Settings come from OSTINATO_ variables and ostinato.toml; a value there has the wrong form.",
    "extra-missing": "This part needs a package that is not installed with the core of Ostinato.",
    "transition-refused": "States follow one table; what ended stays so until resume or retry opens a new epoch.",
    "resume-refused": "Resume calls the flow function again: function, arguments and state must allow it.",
    "not-ended": "The wait was shorter than the work, which still goes on.",
    "epoch-taken": "Two processes wanted to go on with the same run; exactly one gets it.",
    "plan-refused": "With `--changed refuse`, completed tasks whose code or inputs changed stop the resume.",
    "epoch-stale": "Another process resumed this run in a newer epoch. Only the newest epoch may record states.",
    "task-timed-out": "The task ran longer than its `timeout_seconds`.",
    "flow-timed-out": "The flow ran longer than its `timeout_seconds`.",
    "upstream-failed": "A task whose result is needed here did not complete, so this one was skipped.",
    "run-cancelled": "Ctrl-C, or somebody cancelled the run. What had completed is kept.",
    "result-lost": "The value is needed, but only the fact that it existed was recorded.",
    "worker-process-died": "The process runner lost the process in the middle of a task; no exception could be caught.",
    "home-read-only": "Runs are recorded in the home, and it cannot be written.",
    "home-on-network-disk": "On a network disk, file locks and syncs may lie, and then runs could be lost or doubled.",
    "disk-full": "Events could not be written to disk. What was acknowledged before is safe.",
    "database-corrupt": "SQLite found damaged pages; mostly a disk fault or a file copied while it was written.",
    "database-newer": "A newer Ostinato has migrated this database; an older one does not touch it.",
    "database-busy": "One process at a time may write the database; another one held it for too long.",
    "journal-full": "While the database cannot be written, events wait in the journal, and it has reached its bound.",
    "blob-missing": "Large values are files named by their content; this one is gone or no longer has that content.",
}
"""Each code with why it comes."""
