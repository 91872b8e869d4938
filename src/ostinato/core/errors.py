"""Every error that Ostinato raises on purpose.

    OstinatoError
    ├── UsageError            what was asked for cannot be done as written     exit 2
    │   ├── TargetNotFound          target-not-found
    │   ├── FlowNotFound            flow-not-found
    │   ├── NotAFlow                not-a-flow
    │   ├── NotATask                not-a-task
    │   ├── BadFile                 file-does-not-load
    │   ├── BadOption               option-invalid
    │   ├── ParameterUnknown        parameter-unknown
    │   ├── ParameterMissing        parameter-missing
    │   ├── ParameterInvalid        parameter-invalid
    │   ├── ArgumentsMisfit         arguments-misfit
    │   ├── QueryInvalid            query-invalid
    │   ├── FilterInvalid           filter-invalid
    │   ├── PageTokenInvalid        page-token-invalid
    │   ├── PathInvalid             path-invalid
    │   ├── RunNotFound             run-not-found
    │   ├── RunAmbiguous            run-ambiguous
    │   ├── TaskRunNotFound         task-run-not-found
    │   ├── CodeUnknown             code-unknown
    │   ├── NoContext               no-run-context
    │   ├── KeyTaken                task-key-taken
    │   ├── PauseMisplaced          pause-misplaced
    │   ├── NotEnded                not-ended
    │   ├── ArtifactNotFound        artifact-not-found
    │   ├── VariableMissing         variable-not-found
    │   ├── SecretMissing           secret-not-found
    │   ├── UserNotFound            user-not-found
    │   ├── KeyNotFound             key-not-found
    │   ├── NameInvalid             name-invalid
    │   ├── DeploymentNotFound      deployment-not-found
    │   ├── DeploymentAmbiguous     deployment-ambiguous
    │   ├── DeploymentInvalid       deployment-invalid
    │   ├── QueueNotFound           queue-not-found
    │   ├── LimitNotFound           limit-not-found
    │   ├── ParametersMisfit        parameters-misfit
    │   ├── ExperimentNotFound      experiment-not-found
    │   ├── TrackingRunNotFound     tracking-run-not-found
    │   ├── TrackingRunAmbiguous    tracking-run-ambiguous
    │   ├── TrackedValueInvalid     tracked-value-invalid
    │   ├── TrackingRunOpen         tracking-run-open
    │   ├── LoggedModelNotFound     logged-model-not-found
    │   ├── ModelUnfit              model-unfit
    │   ├── ModelUnsuited           model-unsuited
    │   ├── DatasetNotFound         dataset-not-found
    │   ├── DatasetAmbiguous        dataset-ambiguous
    │   ├── DatasetUnreadable       dataset-unreadable
    │   ├── ImportUnreadable        import-unreadable
    │   ├── ModelNotFound           model-not-found
    │   ├── ModelVersionNotFound    model-version-not-found
    │   ├── AliasNotFound           alias-not-found
    │   ├── StageEmpty              stage-empty
    │   ├── ModelInvalid            model-invalid
    │   ├── ModelUriInvalid         model-uri-invalid
    │   ├── PolicyInvalid           policy-invalid
    │   ├── NotLiteral              not-literal
    │   ├── ManifestInvalid         manifest-invalid
    │   ├── SnapshotTooLarge        snapshot-too-large
    │   ├── SettingInvalid          setting-invalid
    │   ├── ScheduleInvalid         schedule-invalid
    │   │   └── ZoneUnknown         zone-unknown
    │   ├── RequestInvalid          request-invalid
    │   ├── DoorNotFound            door-not-found
    │   ├── MethodRefused           method-refused
    │   ├── BodyTooLarge            body-too-large
    │   ├── FeedTooOld              feed-too-old
    │   ├── StorageUnknown          storage-unknown
    │   └── ExtraMissing            extra-missing
    ├── Refused               the state of things forbids it                   exit 4
    │   ├── TransitionRefused       transition-refused
    │   ├── ResumeRefused           resume-refused
    │   ├── BackupElsewhere         backup-elsewhere
    │   ├── BlobsElsewhere          blobs-elsewhere
    │   ├── CopyRefused             copy-refused
    │   ├── EpochTaken              epoch-taken
    │   ├── PlanRefused             plan-refused
    │   ├── ControlRefused          control-refused
    │   ├── QueueInUse              queue-in-use
    │   ├── KeyRefused              key-refused
    │   ├── AccessRefused           access-refused
    │   ├── RoleExceeded            role-exceeded
    │   ├── UserExists              user-exists
    │   ├── ExperimentExists        experiment-exists
    │   ├── ExperimentDeleted       experiment-deleted
    │   ├── TrackingRunDeleted      tracking-run-deleted
    │   ├── ParamTaken              param-taken
    │   ├── LoggedModelDeleted      logged-model-deleted
    │   ├── ModelExists             model-exists
    │   ├── GateRefused             gate-refused
    │   ├── RollbackRefused         rollback-refused
    │   ├── NotAuthenticated        not-authenticated
    │   ├── HostRefused             host-refused
    │   ├── OriginRefused           origin-refused
    │   ├── KeysNeeded              keys-needed
    │   ├── ServerRunning           server-running
    │   ├── PortInUse               port-in-use
    │   └── StaleEpoch              epoch-stale
    ├── RunError              a run ended badly                                exit 1
    │   ├── TaskTimedOut            task-timed-out
    │   ├── FlowTimedOut            flow-timed-out
    │   ├── UpstreamFailed          upstream-failed
    │   ├── PauseTimedOut           pause-timed-out
    │   ├── InputMisfit             input-misfit
    │   ├── SlotsTimedOut           slots-timed-out
    │   ├── RunCancelled            run-cancelled
    │   ├── ResultLost              result-lost
    │   ├── DeployedRunEnded        deployed-run-ended
    │   ├── CodeMissing             code-missing
    │   ├── CheckFailed             check-failed
    │   ├── GateFailed              gate-failed
    │   └── WorkerProcessDied       worker-process-died
    └── StorageError          the home cannot be used                          exit 5
        ├── HomeReadOnly            home-read-only
        ├── HomeOnNetwork           home-on-network-disk
        ├── DiskFull                disk-full
        ├── DatabaseCorrupt         database-corrupt
        ├── DatabaseNewer           database-newer
        ├── DatabaseBusy            database-busy
        ├── DatabaseUnreachable     database-unreachable
        ├── DatabaseForbidden       database-forbidden
        ├── DatabaseTooOld          database-too-old
        ├── DatabaseUnsuited        database-unsuited
        ├── CopyDiffers             copy-differs
        ├── ImportStopped           import-stopped
        ├── StorageMissing          storage-missing
        ├── StorageForbidden        storage-forbidden
        ├── StorageUnreachable      storage-unreachable
        ├── JournalFull             journal-full
        ├── SecretKeyInvalid        secret-key-invalid
        ├── SecretKeyMismatch       secret-key-mismatch
        ├── SecretDamaged           secret-damaged
        ├── BlobMissing             blob-missing
        ├── ModelDamaged            model-damaged
        ├── EventsMissing           events-missing
        ├── ServerUnreachable       server-unreachable
        ├── ServerAnswered          server-answered
        ├── ServerNeeded            server-needed
        └── ServerFault             server-fault

Each has a `code` (kebab words, documented in docs/reference/errors.md), a message with the
actual values, and a `hint`: the next command or line to write. Message and hint are templates
of the class, filled with the keyword arguments of the call.
"""

from __future__ import annotations

from typing import ClassVar, Final


class OstinatoError(Exception):
    """The root. `exit_code` is what the command line ends with."""

    code: ClassVar[str] = "internal"
    template: ClassVar[str] = "{detail}"
    hint_template: ClassVar[str] = "Report this with the output of `ostinato doctor`."
    exit_code: ClassVar[int] = 2

    def __init__(self, **values: object) -> None:
        self.values = values
        self.message = self.template.format_map(_Values(values))
        self.hint = self.hint_template.format_map(_Values(values))
        super().__init__(self.message)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by values, so that errors cross process borders."""
        return (_rebuild, (type(self), self.values))

    def __str__(self) -> str:
        return f"{self.message} [{self.code}] {self.hint}"


class _Values(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def _rebuild(kind: type[OstinatoError], values: dict[str, object]) -> OstinatoError:
    return kind(**values)


# --- what was asked for cannot be done as written


class UsageError(OstinatoError):
    """What was asked for cannot be done as written."""


class TargetNotFound(UsageError):
    code = "target-not-found"
    template = "There is no file {file!r} (working directory {directory})."
    hint_template = "Write FILE:FLOW, for example `ostinato run flow.py:train`."


class FlowNotFound(UsageError):
    code = "flow-not-found"
    template = "{file} has no flow named {name!r}; it has: {found}."
    hint_template = "Put `@flow` on the function, or name one of the flows listed."


class NotAFlow(UsageError):
    code = "not-a-flow"
    template = "{name!r} in {file} is {kind}, not a flow."
    hint_template = "Put `@flow` above `def {name}(...)`."


class NotATask(UsageError):
    code = "not-a-task"
    template = "{what} needs a function, got {value!r}."
    hint_template = "Put the decorator on a function: `@task` above `def`."


class BadFile(UsageError):
    code = "file-does-not-load"
    template = "{file} raised {error} while it was loaded, at line {line}."
    hint_template = "Run `python {file}` to see it fail, and mend that line."


class BadOption(UsageError):
    code = "option-invalid"
    template = "{option}={value!r} is not valid for {where}: {reason}."
    hint_template = "{fix}"


class ParameterUnknown(UsageError):
    code = "parameter-unknown"
    template = "Flow {flow!r} has no parameter {name!r}; it has: {known}."
    hint_template = "{suggestion}"


class ParameterMissing(UsageError):
    code = "parameter-missing"
    template = "Flow {flow!r} needs parameter {name!r} ({type})."
    hint_template = "Pass `{name}=...`, or give it a default at {where}."


class ParameterInvalid(UsageError):
    code = "parameter-invalid"
    template = "Parameter {name!r} of flow {flow!r} is {value}: {reason}."
    hint_template = "It is declared as `{type}` at {where}; pass such a value."


class ArgumentsMisfit(UsageError):
    code = "arguments-misfit"
    template = "Flow {flow!r} cannot take these arguments: {reason}."
    hint_template = "It is declared as ({signature}) at {where}."


class QueryInvalid(UsageError):
    code = "query-invalid"
    template = "The query {query!r} fails at column {column}: {reason}."
    hint_template = "Write terms such as `flow:train state:failed since:24h`; known fields: {known}."


class FilterInvalid(UsageError):
    code = "filter-invalid"
    template = "The filter {filter!r} fails at column {column}: {reason}."
    hint_template = "Write comparisons such as `metrics.rmse < 6.5 and params.depth = '3'`, joined by `and`."


class PageTokenInvalid(UsageError):
    code = "page-token-invalid"
    template = "{token!r} is no token of a page of this list."
    hint_template = "Give the token that came with the page before, and the same order; none for the first page."


class PathInvalid(UsageError):
    code = "path-invalid"
    template = "{path!r} is no path of a file: {reason}."
    hint_template = "Write a relative path with `/` between its parts, such as `plots/error.png`."


class RunNotFound(UsageError):
    code = "run-not-found"
    template = "There is no run {run!r} in {home}."
    hint_template = "`ostinato runs` lists them; `last` names the newest."


class RunAmbiguous(UsageError):
    code = "run-ambiguous"
    template = "{run!r} fits {n} runs: {found}."
    hint_template = "Write more characters of the id."


class TaskRunNotFound(UsageError):
    code = "task-run-not-found"
    template = "Run {run!r} has no task run {no}."
    hint_template = "`ostinato show {run}` lists its tasks; `GET /api/runs/{run}/tasks` gives their numbers."


class CodeUnknown(UsageError):
    code = "code-unknown"
    template = "There is no error code {name!r}."
    hint_template = "{suggestion}"


class NoContext(UsageError):
    code = "no-run-context"
    template = "{what} was called outside a flow or task run."
    hint_template = "Call it inside a function with `@flow` or `@task`."


class PauseMisplaced(UsageError):
    code = "pause-misplaced"
    template = "{what} cannot be called here: {reason}."
    hint_template = "{fix}"


class KeyTaken(UsageError):
    code = "task-key-taken"
    template = "Two calls in {parent!r} have key={key!r}."
    hint_template = 'Give each call of {task!r} its own key, for example `key=f"...-{{i}}"`.'


class NotEnded(UsageError, TimeoutError):
    code = "not-ended"
    template = "{what} not ended after {timeout_s} s."
    hint_template = "Wait longer, or look at `future.state`."


class ArtifactNotFound(UsageError):
    code = "artifact-not-found"
    template = "There is no artifact {number}."
    hint_template = "`ostinato show RUN` lists those of a run; they go with it when it is deleted."


class VariableMissing(UsageError):
    code = "variable-not-found"
    template = "There is no variable {name!r}."
    hint_template = "Set it with `Variable.set({name!r}, ...)`, or pass `default=`."


class SecretMissing(UsageError):
    code = "secret-not-found"
    template = "There is no secret {name!r}."
    hint_template = "Set it with `ostinato secrets set {name}`, or pass `default=`."


class UserNotFound(UsageError):
    code = "user-not-found"
    template = "There is no user {name!r}."
    hint_template = "Make it: `ostinato users create {name}`; `ostinato users ls` lists those there are."


class KeyNotFound(UsageError):
    code = "key-not-found"
    template = "There is no API key {id!r}."
    hint_template = "`ostinato keys ls` lists them by their ids."


class NameInvalid(UsageError):
    code = "name-invalid"
    template = "{name!r} cannot be the name of a {what}."
    hint_template = "Use up to 64 letters, digits, dots, dashes, underscores and @; begin with a letter or a digit."


class DeploymentNotFound(UsageError):
    code = "deployment-not-found"
    template = "There is no deployment {name!r}; there are: {known}."
    hint_template = "Make one: `ostinato deploy FILE:FLOW --name NAME`."


class DeploymentAmbiguous(UsageError):
    code = "deployment-ambiguous"
    template = "{name!r} fits several deployments: {found}."
    hint_template = "Write it as FLOW/NAME."


class DeploymentInvalid(UsageError):
    code = "deployment-invalid"
    template = "Deployment {name!r} cannot be made: {reason}."
    hint_template = "{fix}"


class QueueNotFound(UsageError):
    code = "queue-not-found"
    template = "There is no queue {name!r}; there are: {known}."
    hint_template = "Make it: `ostinato queue create {name}`."


class LimitNotFound(UsageError):
    code = "limit-not-found"
    template = "There is no limit {name!r}; there are: {known}."
    hint_template = "Make it: `ostinato queue limit {name} SLOTS`."


class ParametersMisfit(UsageError):
    code = "parameters-misfit"
    template = "The parameters do not fit deployment {deployment!r}: {reason}."
    hint_template = "`ostinato deploy inspect {deployment}` shows what it takes."


class ExperimentNotFound(UsageError):
    code = "experiment-not-found"
    template = "There is no experiment {name!r}."
    hint_template = "`ostinato experiments ls` lists them; the first run in one makes it."


class TrackingRunNotFound(UsageError):
    code = "tracking-run-not-found"
    template = "There is no tracking run {run!r}."
    hint_template = "`ostinato experiments runs NAME` lists those of an experiment."


class TrackingRunAmbiguous(UsageError):
    code = "tracking-run-ambiguous"
    template = "{run!r} fits several tracking runs: {found}."
    hint_template = "Write more characters of the id."


class TrackedValueInvalid(UsageError):
    code = "tracked-value-invalid"
    template = "{what} cannot be kept: {reason}."
    hint_template = "{fix}"


class DatasetNotFound(UsageError):
    code = "dataset-not-found"
    template = "There is no version of data {dataset!r}."
    hint_template = "`ostinato datasets ls` lists digests and names."


class DatasetAmbiguous(UsageError):
    code = "dataset-ambiguous"
    template = "{dataset!r} fits several versions of data: {found}."
    hint_template = "Write more characters of the digest."


class DatasetUnreadable(UsageError):
    code = "dataset-unreadable"
    template = "{what} is no data that can be read: {reason}."
    hint_template = "{fix}"


class ImportUnreadable(UsageError):
    code = "import-unreadable"
    template = "{path} cannot be imported: {reason}."
    hint_template = "{fix}"


class ModelNotFound(UsageError):
    code = "model-not-found"
    template = "There is no registered model {name!r}."
    hint_template = "`ostinato models ls` lists them; `ostinato.register_model(uri, {name!r})` makes it."


class ModelVersionNotFound(UsageError):
    code = "model-version-not-found"
    template = "Model {name!r} has no version {version}."
    hint_template = "`ostinato models versions {name}` lists them."


class AliasNotFound(UsageError):
    code = "alias-not-found"
    template = "No version of model {name!r} has the alias {alias!r}."
    hint_template = "`ostinato models show {name}` lists its aliases."


class StageEmpty(UsageError):
    code = "stage-empty"
    template = "No version of model {name!r} is in the stage {stage}."
    hint_template = "`ostinato models versions {name}` lists their stages; `ostinato models stage` gives one."


class ModelInvalid(UsageError):
    code = "model-invalid"
    template = "This cannot be {what}: {reason}."
    hint_template = "Take another one."


class ModelUriInvalid(UsageError):
    code = "model-uri-invalid"
    template = "{uri!r} names no model."
    hint_template = "Write models:/NAME/VERSION, models:/NAME@ALIAS, runs:/RUN/PATH or the id of a logged model."


class PolicyInvalid(UsageError):
    code = "policy-invalid"
    template = "The policy of model {name!r} cannot be used: {reason}."
    hint_template = "`ostinato models policy --help` shows how one is written."


class LoggedModelNotFound(UsageError):
    code = "logged-model-not-found"
    template = "There is no model {model!r}: {reason}."
    hint_template = "Name it models:/NAME@ALIAS, models:/NAME/VERSION, runs:/RUN/NAME, m-ID, or as a folder."


class ModelUnfit(UsageError):
    code = "model-unfit"
    template = "{model} cannot be {what}: {reason}."
    hint_template = "{fix}"


class ModelUnsuited(UsageError):
    code = "model-unsuited"
    template = "Model {model!r} does not load: {reason}. It was made with {wanted}; here is {found}."
    hint_template = "{fix}"


class TrackingRunOpen(UsageError):
    code = "tracking-run-open"
    template = "The tracking run {name!r} is active already."
    hint_template = "End it first (`with start_run(): ...` does), or begin one inside it: start_run(nested=True)."


class NotLiteral(UsageError):
    code = "not-literal"
    template = "Parameter {name!r} is a {type}, which cannot be written as JSON."
    hint_template = "Pass numbers, texts, dates, lists and objects of these; for data pass the path or key of it."


class ManifestInvalid(UsageError):
    code = "manifest-invalid"
    template = "{file}, {place}: {reason}."
    hint_template = "{fix}"


class SnapshotTooLarge(UsageError):
    code = "snapshot-too-large"
    template = "A snapshot of {root} has {n} files and {size_mb} MB; at most {limit_mb} MB go. The largest: {largest}."
    hint_template = "List in .gitignore what is no code, deploy a smaller folder, or raise OSTINATO_SNAPSHOT_LIMIT_MB."


class SettingInvalid(UsageError):
    code = "setting-invalid"
    template = "Setting {name}={value!r} (from {where}) is not valid: {reason}."
    hint_template = "`ostinato doctor` shows all settings and where each comes from."


class ScheduleInvalid(UsageError):
    code = "schedule-invalid"
    template = "Schedule {value!r} is not valid: {reason}."
    hint_template = "{fix}"


class ZoneUnknown(ScheduleInvalid):
    code = "zone-unknown"
    template = "There is no time zone {name!r}."


class RequestInvalid(UsageError):
    code = "request-invalid"
    template = "The request is not valid: {reason}."
    hint_template = "GET /api/openapi.json describes what each address takes."


class DoorNotFound(UsageError):
    code = "door-not-found"
    template = "There is nothing at {method} {path}."
    hint_template = "GET /api/openapi.json lists all addresses; what has a slash in its name is called by its id."


class MethodRefused(UsageError):
    code = "method-refused"
    template = "{path} does not take {method}."
    hint_template = "GET /api/openapi.json says which methods each address takes."


class BodyTooLarge(UsageError):
    code = "body-too-large"
    template = "The body has {size_bytes} bytes or more; at most {most_bytes} are taken."
    hint_template = "Send less at once; large values go through PUT /api/blobs/DIGEST."


class FeedTooOld(UsageError):
    code = "feed-too-old"
    template = "The feed begins at {first}; what followed {after} is not kept any more."
    hint_template = "Read the lists anew, and follow the feed from now on: GET /api/feed without `after`."


class StorageUnknown(UsageError):
    code = "storage-unknown"
    template = "Values cannot be stored at {url}: {reason}."
    hint_template = "Name a folder, or a URL of a protocol that fsspec knows, such as s3://BUCKET/PREFIX."


class ExtraMissing(UsageError):
    code = "extra-missing"
    template = "{what} needs the package {package!r}, which is not installed."
    hint_template = 'pip install "ostinato[{extra}]"'


# --- the state of things forbids it


class Refused(OstinatoError):
    """The state of things forbids it."""

    exit_code = 4


class TransitionRefused(Refused):
    code = "transition-refused"
    template = "A run that is {current} cannot become {wanted}."
    hint_template = "`ostinato show RUN` shows its state and history."


class ResumeRefused(Refused):
    code = "resume-refused"
    template = "Run {run!r} cannot be resumed: {reason}."
    hint_template = "{fix}"


class BackupElsewhere(Refused):
    code = "backup-elsewhere"
    template = "The database of {home} is on PostgreSQL, and an archive of the home would miss it."
    hint_template = (
        "Back it up with pg_dump and keep the folder `blobs` with it; `ostinato db copy` makes a home of it."
    )


class BlobsElsewhere(Refused):
    code = "blobs-elsewhere"
    template = "Another server of this database keeps stored values in {other}, and this one would in {own}."
    hint_template = "Set OSTINATO_BLOBS_URL of both to one place that both reach, such as s3://BUCKET/PREFIX."


class CopyRefused(Refused):
    code = "copy-refused"
    template = "{source} is not copied to {target}: {reason}."
    hint_template = "{fix}"


class EpochTaken(Refused):
    code = "epoch-taken"
    template = "Run {run!r} was taken up by another process (epoch {epoch})."
    hint_template = "Watch that one: `ostinato watch {run}`."


class PlanRefused(Refused):
    code = "plan-refused"
    template = "Resume of run {run!r} stops: {n} completed tasks would run again, first {task!r} because {reason}."
    hint_template = "See `ostinato resume {run} --plan`; then `--changed rerun` or `--changed reuse`."


class KeyRefused(Refused):
    code = "key-refused"
    template = "The API key {key} is refused: {reason}."
    hint_template = "Set OSTINATO_API_KEY to a key that holds; `ostinato keys create` makes one where the server runs."


class AccessRefused(Refused):
    code = "access-refused"
    template = "{actor} ({has}) may not {action}; it needs the role {needs}."
    hint_template = "Use a key with that role (and no narrower scope), or ask an admin."


class RoleExceeded(Refused):
    code = "role-exceeded"
    template = "A key of user {user!r} cannot have the role {role}: the user is {has}."
    hint_template = "Take a lesser role, or `ostinato users set-role {user} {role}` first."


class UserExists(Refused):
    code = "user-exists"
    template = "There is a user {name!r} already."
    hint_template = "`ostinato users set-role {name} ROLE` changes what it may do."


class ExperimentExists(Refused):
    code = "experiment-exists"
    template = "There is an experiment {name!r} already; it is {state}."
    hint_template = "Take another name, or `ostinato experiments restore` one that is deleted."


class ExperimentDeleted(Refused):
    code = "experiment-deleted"
    template = "The experiment {name!r} is deleted."
    hint_template = "`ostinato experiments restore {name!r}`, or take another one."


class TrackingRunDeleted(Refused):
    code = "tracking-run-deleted"
    template = "The tracking run {run} is deleted."
    hint_template = "Restore it, or begin a new one."


class ParamTaken(Refused):
    code = "param-taken"
    template = "Parameter {key!r} of tracking run {run} is {old!r} already, and cannot become {new!r}."
    hint_template = "A parameter has one value in a run: begin a new run, or log it under another name."


class ModelExists(Refused):
    code = "model-exists"
    template = "There is a registered model {name!r} already."
    hint_template = "Register a version of it, or take another name."


class GateRefused(Refused):
    code = "gate-refused"
    template = "Version {version} of model {name!r} may not become {alias}: {reasons}."
    hint_template = (
        "`ostinato promote {name} {version} --to {alias}` runs the checks; an operator may add --override REASON."
    )


class RollbackRefused(Refused):
    code = "rollback-refused"
    template = "The alias {alias!r} of model {name!r} cannot go back: {reason}."
    hint_template = "`ostinato models history {name}` shows which versions have had it."


class LoggedModelDeleted(Refused):
    code = "logged-model-deleted"
    template = "The logged model {model} is deleted."
    hint_template = "Log the model again."


class NotAuthenticated(Refused):
    code = "not-authenticated"
    template = "The request is refused: {reason}."
    hint_template = (
        "Set OSTINATO_API_KEY (`Authorization: Bearer KEY`); on the server `ostinato keys create` makes a key."
    )


class HostRefused(Refused):
    code = "host-refused"
    template = "The server does not answer to the name {host!r}."
    hint_template = "Start it with `--allowed-host {host}`, or call it by one of: {known}."


class OriginRefused(Refused):
    code = "origin-refused"
    template = "A page of {origin} may not change anything here."
    hint_template = "Open the address that `ostinato up` prints; programs send an API key and no Origin."


class KeysNeeded(Refused):
    code = "keys-needed"
    template = "{host} can be reached from other machines, and no API key protects it."
    hint_template = "Make one first: `ostinato users create NAME --role admin`, `ostinato keys create --user NAME`."


class ServerRunning(Refused):
    code = "server-running"
    template = "A server runs on {home} already: process {pid} at {url}."
    hint_template = "Use that one, or end it: `kill {pid}`. For a second server set OSTINATO_HOME to another folder."


class PortInUse(Refused):
    code = "port-in-use"
    template = "Something else listens on port {port} of {host}."
    hint_template = "Name another one, `--port {other}`, or let one be found: `--port 0`."


class ControlRefused(Refused):
    code = "control-refused"
    template = "Run {run!r} cannot be {what}: {reason}."
    hint_template = "{fix}"


class QueueInUse(Refused):
    code = "queue-in-use"
    template = "Queue {name!r} cannot be removed: {waiting} in it."
    hint_template = "Cancel them, or let a worker run them: `ostinato queue preview {name}`."


class StaleEpoch(Refused):
    code = "epoch-stale"
    template = "Run {run!r} goes on elsewhere (epoch {epoch}); this process has epoch {own} and stops."
    hint_template = "Nothing to do: the newer epoch has taken over its completed tasks."


# --- a run ended badly


class RunError(OstinatoError):
    """A run ended badly."""

    exit_code = 1


class TaskTimedOut(RunError, TimeoutError):
    code = "task-timed-out"
    template = "Task {name!r} exceeded its timeout of {timeout_s} s."
    hint_template = "Raise `timeout_seconds=` or make the task shorter; `retries=` tries it again."


class FlowTimedOut(RunError, TimeoutError):
    code = "flow-timed-out"
    template = "Flow run {name!r} exceeded its timeout of {timeout_s} s."
    hint_template = "Raise `timeout_seconds=` of the flow."


class PauseTimedOut(RunError, TimeoutError):
    code = "pause-timed-out"
    template = "Flow run {name!r} waited {timeout_s:g} s at its pause {key!r}, and nobody let it go on."
    hint_template = "`ostinato retry` waits there again; `timeout_seconds=` of `pause` lets it wait longer."


class InputMisfit(RunError):
    code = "input-misfit"
    template = "What was given to the pause {key!r} does not fit `{hint}`: {reason}."
    hint_template = "Give the pause another `key=`, which asks anew, and `ostinato retry` the run."


class SlotsTimedOut(RunError, TimeoutError):
    code = "slots-timed-out"
    template = "{n} of the slots of limit {name!r} did not become free within {timeout_s:g} s."
    hint_template = "Raise `timeout_seconds=`, or the limit: `ostinato queue limit {name} SLOTS`."


class UpstreamFailed(RunError):
    code = "upstream-failed"
    template = "Task {name!r} did not run because {upstream!r} ended {state}: {reason}"
    hint_template = "Mend {upstream!r}, then `ostinato retry` goes on from there."


class RunCancelled(RunError):
    code = "run-cancelled"
    template = "{name!r} was cancelled."
    hint_template = "`ostinato resume` goes on from the last completed task."
    exit_code = 3


class ResultLost(RunError):
    code = "result-lost"
    template = "The result of task {name!r} is not kept: {reason}."
    hint_template = "{fix}"


class DeployedRunEnded(RunError):
    code = "deployed-run-ended"
    template = "Run {name!r} of {deployment} ended {state}: {reason}"
    hint_template = "`ostinato show {id}` shows what happened."


class CodeMissing(RunError):
    code = "code-missing"
    template = "The code of {deployment} cannot be had: {reason}."
    hint_template = "{fix}"


class CheckFailed(RunError):
    code = "check-failed"
    template = "Check {check!r} does not pass: {detail}."
    hint_template = "`ostinato models show {name}` shows what the policy asks for."


class GateFailed(RunError):
    code = "gate-failed"
    template = "Version {version} of model {name!r} does not pass for {alias}: {reasons}."
    hint_template = (
        "A retry would find the same: promote a better version, or change the policy and promote again;"
        " an operator may add --override REASON. `ostinato models show {name} {version}` keeps the results."
    )


class WorkerProcessDied(RunError):
    code = "worker-process-died"
    template = "The process that ran task {name!r} died{how}."
    hint_template = "Look for a crash in native code or for too little memory; `retries=` tries it again."


# --- the home cannot be used


class StorageError(OstinatoError):
    """The home cannot be used."""

    exit_code = 5


class HomeReadOnly(StorageError):
    code = "home-read-only"
    template = "The home {home} cannot be written: {reason}."
    hint_template = "Set OSTINATO_HOME to a folder that you can write."


class HomeOnNetwork(StorageError):
    code = "home-on-network-disk"
    template = "The home {home} is on a network file system ({kind}), where locks and syncs cannot be trusted."
    hint_template = "Set OSTINATO_HOME to a folder on a local disk."


class DiskFull(StorageError):
    code = "disk-full"
    template = "No room left on the disk of {path}: {reason}."
    hint_template = "Free some space (`ostinato db vacuum` drops what retention allows), then run again."


class DatabaseCorrupt(StorageError):
    code = "database-corrupt"
    template = "The database {path} is damaged: {reason}."
    hint_template = "`ostinato db check` tells what is hit; restore the newest backup of `ostinato db backup`."


class DatabaseNewer(StorageError):
    code = "database-newer"
    template = "The database {path} has schema {found}, this Ostinato knows {known}."
    hint_template = "Install the newer version: pip install -U ostinato"


class DatabaseBusy(StorageError):
    code = "database-busy"
    template = "Another process has held {path} for {waited_s} s."
    hint_template = "`ostinato doctor` names the process; wait for it, or end it."


class DatabaseUnreachable(StorageError):
    code = "database-unreachable"
    template = "The database {path} does not answer: {reason}."
    hint_template = (
        "Check OSTINATO_DATABASE_URL and that PostgreSQL runs. What is recorded meanwhile waits in the journal."
    )


class DatabaseForbidden(StorageError):
    code = "database-forbidden"
    template = "The database {path} refuses: {reason}."
    hint_template = "Check user and password; the user needs CREATE and USAGE on the schema, and owns our tables."


class DatabaseTooOld(StorageError):
    code = "database-too-old"
    template = "The database {path} is PostgreSQL {found}, needed is {needed} or newer."
    hint_template = "Upgrade PostgreSQL, or leave OSTINATO_DATABASE_URL empty for SQLite."


class DatabaseUnsuited(StorageError):
    code = "database-unsuited"
    template = "The database {path} cannot be used: {reason}."
    hint_template = "Make one with: createdb --encoding=UTF8 --template=template0 NAME"


class CopyDiffers(StorageError):
    code = "copy-differs"
    template = "The copy in {target} differs from its source in {tables}; it was not kept."
    hint_template = "Check both databases (`ostinato db check`, `pg_amcheck`), then copy again."


class ImportStopped(StorageError):
    code = "import-stopped"
    template = "The import of {path} stopped: {reason}."
    hint_template = "Give the same command again: what is there already is left as it is, and the rest follows."


class StorageMissing(StorageError):
    code = "storage-missing"
    template = "There is no place for stored values at {url}: {reason}."
    hint_template = "Make the bucket, or correct OSTINATO_BLOBS_URL or `result_storage`."


class StorageForbidden(StorageError):
    code = "storage-forbidden"
    template = "The storage at {url} refuses: {reason}."
    hint_template = (
        "Give this process credentials (for s3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile);"
        " it must be able to list, read, write and delete there."
    )


class StorageUnreachable(StorageError):
    code = "storage-unreachable"
    template = "The storage at {url} does not answer: {reason}."
    hint_template = "Check the URL and the network; for an S3 server of your own, set AWS_ENDPOINT_URL."


class JournalFull(StorageError):
    code = "journal-full"
    template = (
        "The journal in {path} reached its quota of {quota_mb} MB while the database could not be written: {reason}."
    )
    hint_template = "Mend the database (`ostinato doctor`), or raise OSTINATO_JOURNAL_QUOTA_MB."


class SecretKeyInvalid(StorageError):
    code = "secret-key-invalid"
    template = "The key for secrets in {where} cannot be used: {reason}."
    hint_template = "It is base64 of 32 bytes, readable by its owner only: put back the one of this home."


class SecretKeyMismatch(StorageError):
    code = "secret-key-mismatch"
    template = "Secret {name!r} was sealed with key {used}; the key here is {own}."
    hint_template = "Put that key in place (`secret.key` of its home, OSTINATO_SECRET_KEY), or set the secret again."


class SecretDamaged(StorageError):
    code = "secret-damaged"
    template = "The stored form of secret {name!r} is damaged."
    hint_template = "Set it again: `ostinato secrets set {name}`."


class BlobMissing(StorageError):
    code = "blob-missing"
    template = "The stored value {digest} is {how} in {path}."
    hint_template = "The task that made it runs again on resume."


class ServerNeeded(StorageError):
    code = "server-needed"
    template = "{what} needs a server, and none runs on {home}."
    hint_template = "Start one in another terminal: `ostinato up`; or set OSTINATO_API_URL to where one runs."


class ModelDamaged(StorageError):
    code = "model-damaged"
    template = "File {file!r} of model {model!r} is {how}; nothing of the model was loaded."
    hint_template = "Log the model again, or bring the file back from a backup."


class EventsMissing(StorageError):
    code = "events-missing"
    template = "The database lacks events {first} to {last} of stream {stream}, which it has acknowledged."
    hint_template = "It was replaced or restored while a process wrote to it: end that process and start it anew."


class ServerUnreachable(StorageError):
    code = "server-unreachable"
    template = "The server at {url} cannot be reached: {reason}."
    hint_template = "Start it with `ostinato up`, or set OSTINATO_API_URL to where one runs."


class ServerAnswered(StorageError):
    code = "server-answered"
    template = "The server at {url} answered {status}: {detail}"
    hint_template = "{fix}"


class ServerFault(StorageError):
    code = "server-fault"
    template = "The server failed in a way that is a fault of Ostinato."
    hint_template = "Its output has the details; report it with that of `ostinato doctor`."


MALFORMED: Final = (OverflowError, UnicodeError, RecursionError)
"""What numbers that are too large raise, text that is none, and values that are nested too deep."""


def told(error: Exception) -> Exception:
    """Give an error as it is told: numbers and texts that cannot be kept are a matter of who sent them."""
    if isinstance(error, MALFORMED):
        return RequestInvalid(reason=f"it holds what cannot be kept: {error}")
    return error


def all_errors() -> dict[str, type[OstinatoError]]:
    """Give every error class by its code."""
    found: dict[str, type[OstinatoError]] = {}
    waiting = list(OstinatoError.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if "code" in vars(kind):
            found[kind.code] = kind
    return dict(sorted(found.items()))
