"""`ostinato models`: registered models, their versions, aliases and stages."""

from __future__ import annotations

import os
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ostinato.cli.command import Command, json_option
from ostinato.cli.home import carry_out, open_reader
from ostinato.cli.lines import columns_of, one_line
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.times import ago, now_us
from ostinato.core.commands import (
    DescribeModel,
    DescribeVersion,
    RemoveAlias,
    RemoveModel,
    RemoveVersion,
    RenameModel,
    RollBack,
    SetAlias,
    SetPolicy,
    SetStage,
    TagModel,
)
from ostinato.core.errors import BadOption, TargetNotFound
from ostinato.core.ports import resolve
from ostinato.core.registry import STAGES, Policy, stage_of
from ostinato.core.registry_views import model_view, result_view, step_view, version_view

if TYPE_CHECKING:
    from ostinato.cli.lines import Line, Piece
    from ostinato.core.ports import Reader
    from ostinato.core.registry import GateResult, Model, ModelVersion, VersionOrigin

STYLES = {"Production": "green", "Staging": "yellow", "Archived": "dim", "None": "dim"}
SHOWN = 20
"""Versions, moves and results that are printed."""
_VERSION_WORDS = {
    "3": "the version of this number",
    "@champion": "the one that the alias means",
    "Production": "the one of a stage",
    "latest": "the newest",
}


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="List registered models; move aliases and stages, roll back, gate.",
)
def models() -> None:
    """List registered models and their versions; move aliases and stages, roll back, set what is checked before."""


# --- looking


@models.command(
    name="ls",
    cls=Command,
    short_help="List registered models.",
    examples={"ostinato models ls": "by name, with their aliases", "ostinato models ls --json": "as one JSON array"},
)
@json_option
def list_models(*, as_json: bool) -> None:
    """List registered models by name."""
    with open_reader() as reader:
        found = reader.models()
    if as_json:
        click.echo(dumps([model_view(one) for one in found]))
    elif found:
        rows: list[list[Piece]] = [[(word, "dim") for word in ("MODEL", "VERSIONS", "ALIASES", "CHANGED", "GATED")]]
        now = now_us()
        for one in found:
            aliases = ", ".join(f"{alias}={version}" for alias, version in one.aliases.items())
            gated = ", ".join(one.policy.aliases) if one.policy is not None else ""
            made, changed = str(one.last_version), ago(one.updated_at, now)
            rows.append([(one.name, "bold"), (made, ""), (aliases, "green"), (changed, "dim"), (gated, "yellow")])
        _print(columns_of(rows, screen_of(sys.stdout).table_columns, right=(1,)))
    else:
        click.echo('No registered models yet. `ostinato.register_model(uri, "NAME")` makes one.', err=True)


@models.command(
    cls=Command,
    short_help="Show a model, or one of its versions.",
    examples={
        "ostinato models show ride-duration": "aliases, policy, newest versions",
        "ostinato models show ride-duration 3": "one version, and what its checks gave",
        "ostinato models show ride-duration @champion": "the version that an alias means",
    },
    words=_VERSION_WORDS,
)
@click.argument("name")
@click.argument("version", required=False)
@json_option
def show(*, name: str, version: str | None, as_json: bool) -> None:
    """Show the model NAME, or its VERSION."""
    with open_reader() as reader:
        if version is None:
            _show_model(reader, reader.find_model(name), as_json=as_json)
        else:
            one = reader.find_version(name, version)
            _show_version(one, reader.gate_results(name, one.version, limit=SHOWN), as_json=as_json)


@models.command(
    cls=Command,
    short_help="List the versions of a model.",
    examples={"ostinato models versions ride-duration": "the newest first"},
)
@click.argument("name")
@click.option("--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@json_option
def versions(*, name: str, limit: int, as_json: bool) -> None:
    """List the versions of the model NAME, the newest first."""
    with open_reader() as reader:
        reader.find_model(name)
        found = reader.model_versions(name, limit=limit)
    if as_json:
        click.echo(dumps([version_view(one) for one in found]))
    else:
        _print(_version_lines(found))


@models.command(
    cls=Command,
    short_help="Show how aliases moved.",
    examples={
        "ostinato models history ride-duration": "all aliases, the newest move first",
        "ostinato models history ride-duration --alias production": "one of them",
    },
)
@click.argument("name")
@click.option("--alias", default="", metavar="ALIAS", help="Only this one.")
@click.option("--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 1000), help="How many moves.")
@json_option
def history(*, name: str, alias: str, limit: int, as_json: bool) -> None:
    """Show how the aliases of the model NAME moved: when, by whom, and what let them."""
    with open_reader() as reader:
        reader.find_model(name)
        found = reader.alias_steps(name, alias=alias, limit=limit)
    if as_json:
        click.echo(dumps([step_view(one) for one in found]))
        return
    now = now_us()
    rows: list[list[Piece]] = [[(word, "dim") for word in ("WHEN", "ALIAS", "VERSION", "HOW", "BY", "WHY")]]
    for one in found:
        why = one.reason or (f"checked by run {one.gate_run_id[:12]}" if one.gate_run_id else "")
        versions_said = f"{one.previous or '-'} -> {one.version or '-'}"
        how = (one.how, "yellow" if one.how in ("override", "rollback") else "")
        rows.append(
            [(ago(one.at, now), "dim"), (one.alias, "bold"), (versions_said, ""), how, (one.actor, "dim"), (why, "")]
        )
    _print(columns_of(rows, screen_of(sys.stdout).table_columns))


@models.command(
    cls=Command,
    short_help="Show what a version was made from.",
    examples={"ostinato models lineage ride-duration 3": "tracking run, task run, flow run, code and data"},
    words=_VERSION_WORDS,
)
@click.argument("name")
@click.argument("version")
@json_option
def lineage(*, name: str, version: str, as_json: bool) -> None:
    """Show what VERSION of the model NAME was made from: tracking run, task run, flow run, code version and data."""
    with open_reader() as reader:
        origin = reader.version_origin(name, reader.find_version(name, version).version)
    if as_json:
        click.echo(dumps(origin))
    else:
        _print(_origin_lines(origin))


# --- changing


@models.command(
    cls=Command,
    short_help="Register a model as the next version.",
    examples={
        "ostinato models register m-9f86d081884c7d659a2feaa0c55ad015 ride-duration": "a logged model",
        "ostinato models register s3://bucket/model ride-duration --tag team=rides": "a folder elsewhere",
    },
)
@click.argument("uri")
@click.argument("name")
@click.option("--description", default="", metavar="TEXT", help="What it is.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Tag of the version; may be given again.")
@json_option
def register(*, uri: str, name: str, description: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Register the model at URI as the next version of NAME, which is made when it is new.

    URI is runs:/RUN/PATH, the id of a logged model (m-...), or an address elsewhere.
    """
    texts = {key: value for key, value in _texts(tags).items() if value is not None}
    made = resolve("ostinato.tracking.registry:register_model")(uri, name, description=description, tags=texts)
    click.echo(dumps(made) if as_json else f"{name} version {made.version} is registered.")


@models.command(
    cls=Command,
    short_help="Let an alias mean a version.",
    examples={
        "ostinato models alias ride-duration champion 3": "from now on `models:/ride-duration@champion` is version 3",
        "ostinato models alias ride-duration champion --remove": "the alias means nothing any more",
    },
    words=_VERSION_WORDS,
)
@click.argument("name")
@click.argument("alias")
@click.argument("version", required=False)
@click.option("--remove", is_flag=True, help="Take the alias away.")
@json_option
def alias(*, name: str, alias: str, version: str | None, remove: bool, as_json: bool) -> None:
    """Let ALIAS of the model NAME mean VERSION. One that the policy gates moves only when the checks have passed."""
    if remove == (version is not None):
        message = "give a VERSION, or --remove"
        raise click.UsageError(message)
    if version is None:
        carry_out(RemoveAlias(name=name, alias=alias))
        click.echo(dumps({"name": name, "alias": alias}) if as_json else f"{name} has no alias {alias} any more.")
        return
    _tell(carry_out(SetAlias(name=name, alias=alias, version=_number(name, version))), as_json=as_json)


@models.command(
    cls=Command,
    short_help="Give a version a stage.",
    examples={
        "ostinato models stage ride-duration 3 Staging": "the version that was there is archived",
        "ostinato models stage ride-duration 3 None": "take its stage away",
    },
    words=_VERSION_WORDS,
)
@click.argument("name")
@click.argument("version")
@click.argument("stage", type=click.Choice(STAGES, case_sensitive=False))
@click.option("--keep-existing", is_flag=True, help="Leave the versions that have the stage where they are.")
@json_option
def stage(*, name: str, version: str, stage: str, keep_existing: bool, as_json: bool) -> None:
    """Give VERSION of the model NAME a STAGE. Staging and Production are aliases, and gated like them."""
    number = _number(name, version)
    command = SetStage(name=name, version=number, stage=stage_of(stage), archive_existing=not keep_existing)
    _tell(carry_out(command), as_json=as_json)


@models.command(
    cls=Command,
    short_help="Let an alias go back to the version before.",
    examples={
        "ostinato models rollback ride-duration --alias production": "to the version that had it before",
        "ostinato models rollback ride-duration --alias production --to 2": "to one of those before",
    },
)
@click.argument("name")
@click.option("--alias", default="production", show_default=True, metavar="ALIAS", help="The alias or stage.")
@click.option("--to", type=click.IntRange(min=1), metavar="VERSION", help="One that had it before.")
@json_option
def rollback(*, name: str, alias: str, to: int | None, as_json: bool) -> None:
    """Let an alias of the model NAME mean the version again that had it before; nothing is checked again."""
    _tell(carry_out(RollBack(name=name, alias=alias, version=to or 0)), as_json=as_json)


@models.command(
    cls=Command,
    short_help="Set tags of a model or a version.",
    examples={
        "ostinato models tag ride-duration team=rides": "of the model",
        "ostinato models tag ride-duration --version 3 seed=42 note=": "of a version; `note` is taken away",
    },
)
@click.argument("name")
@click.argument("tags", metavar="KEY=VALUE...", nargs=-1, required=True)
@click.option("--version", metavar="VERSION", help="Of this version.")
@json_option
def tag(*, name: str, tags: tuple[str, ...], version: str | None, as_json: bool) -> None:
    """Set tags of the model NAME; an empty VALUE takes one away."""
    texts = _texts(tags)
    number = 0 if version is None else _number(name, version)
    carry_out(TagModel(name=name, tags=texts, version=number))
    what = f"{name}/{number}" if number else name
    click.echo(dumps({"name": name, "version": number or None, "tags": texts}) if as_json else f"{what} is tagged.")


@models.command(
    cls=Command,
    short_help="Describe a model or a version.",
    examples={
        'ostinato models describe ride-duration "Minutes of a taxi ride"': "the model",
        'ostinato models describe ride-duration --version 3 "Trained on 2021"': "a version",
    },
)
@click.argument("name")
@click.argument("text")
@click.option("--version", metavar="VERSION", help="This version.")
@json_option
def describe(*, name: str, text: str, version: str | None, as_json: bool) -> None:
    """Give the model NAME, or one of its versions, the description TEXT."""
    if version is None:
        made = carry_out(DescribeModel(name=name, description=text))
        click.echo(dumps(model_view(made)) if as_json else f"{name} is described.")
    else:
        number = _number(name, version)
        _tell(carry_out(DescribeVersion(name=name, version=number, description=text)), as_json=as_json)


@models.command(
    cls=Command,
    short_help="Give a model another name.",
    examples={"ostinato models rename ride-duration taxi-minutes": "with all its versions and aliases"},
)
@click.argument("name")
@click.argument("new_name", metavar="NEW-NAME")
@json_option
def rename(*, name: str, new_name: str, as_json: bool) -> None:
    """Give the model NAME the name NEW-NAME."""
    made = carry_out(RenameModel(name=name, new_name=new_name))
    click.echo(dumps(model_view(made)) if as_json else f"{name} is {new_name} from now on.")


@models.command(
    cls=Command,
    short_help="Remove a model or a version.",
    examples={
        "ostinato models delete ride-duration --version 3": "its aliases go with it; its files and runs stay",
        "ostinato models delete ride-duration --yes": "the model with all its versions",
    },
)
@click.argument("name")
@click.option("--version", metavar="VERSION", help="Only this version.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(*, name: str, version: str | None, yes: bool, as_json: bool) -> None:
    """Remove the model NAME with all its versions, or one of them."""
    number = 0 if version is None else _number(name, version)
    what = f"version {number} of {name}" if number else f"{name} with all its versions"
    if not yes and sys.stdin.isatty():
        click.confirm(f"Remove {what}?", abort=True, err=True)
    carry_out(RemoveVersion(name=name, version=number) if number else RemoveModel(name=name))
    click.echo(dumps({"name": name, "version": number or None}) if as_json else f"Removed {what}.")


@models.command(
    cls=Command,
    short_help="Show or set what is checked before an alias moves.",
    examples={
        "ostinato models policy ride-duration": "print it",
        "ostinato models policy ride-duration gate.toml": "set it: the file has a table [checks.NAME] for each check",
        "ostinato models policy ride-duration --remove": "gate nothing any more",
    },
    words={
        'kind = "metric"': "metric, max and/or min: the value of the version's tracking run",
        'kind = "champion"': "metric, goal (lower, higher), by, data: better than the version that has the alias",
        'kind = "signature"': "it takes what the version that has the alias takes",
        'kind = "latency"': "max_s, metric (inference_time): a recorded time",
        'kind = "task"': "task (FILE.py:TASK): called with name and version",
        'kind = "approval"': "by, within_s: somebody says yes with `ostinato resume RUN true`",
    },
)
@click.argument("name")
@click.argument("file", required=False, type=click.Path())
@click.option("--remove", is_flag=True, help="Gate nothing any more.")
@json_option
def policy(*, name: str, file: str | None, remove: bool, as_json: bool) -> None:
    """Show the policy of the model NAME, or set it from a TOML FILE.

    `aliases` in the file says which aliases are gated: ["production"] when it is left out.
    """
    if file is not None or remove:
        made = carry_out(SetPolicy(name=name, policy=None if file is None else _policy_in(file)))
    else:
        with open_reader() as reader:
            made = reader.find_model(name)
    if as_json:
        click.echo(dumps(made.policy))
    else:
        _print(_policy_lines(made.policy))


def _policy_in(file: str) -> Policy:
    try:
        with open(file, "rb") as stream:
            values = tomllib.load(stream)
        return msgspec.convert(values, Policy)
    except FileNotFoundError as error:
        raise TargetNotFound(file=file, directory=os.getcwd()) from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        fix = "`ostinato models policy --help` lists the kinds of checks and what each takes."
        raise BadOption(option="FILE", value=file, where="a policy", reason=str(error), fix=fix) from error


def _texts(words: tuple[str, ...]) -> dict[str, str | None]:
    """Give the tags of words KEY=VALUE; an empty value is None."""
    texts: dict[str, str | None] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key:
            message = f"{word!r} is no KEY=VALUE"
            raise click.BadArgumentUsage(message)
        texts[key] = value or None
    return texts


def _number(name: str, ref: str) -> int:
    if ref.isdecimal():
        return int(ref)
    with open_reader() as reader:
        return reader.find_version(name, ref).version


# --- telling


def _tell(one: ModelVersion, *, as_json: bool) -> None:
    if as_json:
        click.echo(dumps(version_view(one)))
        return
    aliases = f", {', '.join(one.aliases)}" if one.aliases else ""
    click.echo(f"{one.name} version {one.version}: stage {one.stage}{aliases}.")


def _show_model(reader: Reader, one: Model, *, as_json: bool) -> None:
    newest = reader.model_versions(one.name, limit=SHOWN)
    if as_json:
        click.echo(dumps({**_plain(model_view(one)), "versions": [version_view(each) for each in newest]}))
        return
    tags = ", ".join(f"{key}={value}" for key, value in one.tags.items())
    lines: list[Line] = [[(one.name, "bold"), (f"  {one_line(one.description)}", "")]]
    lines += [[(f"tags  {one_line(tags)}", "dim")]] if tags else []
    _print([*lines, [], *_version_lines(newest), [], *_policy_lines(one.policy)])


def _show_version(one: ModelVersion, results: list[GateResult], *, as_json: bool) -> None:
    if as_json:
        click.echo(dumps({**_plain(version_view(one)), "checks": [result_view(each) for each in results]}))
        return
    facts = {
        "description": one.description,
        "aliases": ", ".join(one.aliases),
        "tags": ", ".join(f"{key}={value}" for key, value in one.tags.items()),
        "source": one.source,
        "tracking run": one.run_id,
        "flow run": one.flow_run_id,
        "registered by": one.actor,
    }
    lines: list[Line] = [[(f"{one.name} version {one.version}", "bold"), (f"  {one.stage}", STYLES[one.stage])]]
    lines += _pairs(facts)
    if results:
        rows: list[list[Piece]] = [[(word, "dim") for word in ("CHECK", "FOR", "RESULT", "WHEN", "WHY")]]
        for each in results:
            said = ("passed", "green") if each.passed else ("failed", "red")
            why = one_line(each.detail)
            rows.append([(each.check, "bold"), (each.alias, ""), said, (ago(each.at, now_us()), "dim"), (why, "")])
        lines += [[], *columns_of(rows, screen_of(sys.stdout).table_columns)]
    _print(lines)


def _version_lines(found: list[ModelVersion]) -> list[Line]:
    if not found:
        return [[("no versions", "dim")]]
    now = now_us()
    rows: list[list[Piece]] = [[(word, "dim") for word in ("VERSION", "STAGE", "ALIASES", "MADE", "BY", "DESCRIPTION")]]
    for one in found:
        stage_said = ("" if one.stage == "None" else one.stage, STYLES[one.stage])
        aliases = (", ".join(one.aliases), "green")
        made, actor = (ago(one.created_at, now), "dim"), (one.actor, "dim")
        rows.append([(str(one.version), "bold"), stage_said, aliases, made, actor, (one_line(one.description), "")])
    return columns_of(rows, screen_of(sys.stdout).table_columns, right=(0,))


def _policy_lines(found: Policy | None) -> list[Line]:
    if found is None:
        return [[("no policy: nothing is checked before an alias moves", "dim")]]
    lines: list[Line] = [[("gated  ", "dim"), (", ".join(found.aliases), "yellow")]]
    for name, check in found.checks.items():
        facts = _plain(check)
        kind = facts.pop("kind")
        said = " ".join(f"{key}={value}" for key, value in facts.items() if value not in (None, "", [], ()))
        lines.append([(f"  {name}", "bold"), (f"  {kind}", ""), (f"  {said}", "dim")])
    return lines


def _origin_lines(one: VersionOrigin) -> list[Line]:
    task_run = f"{one.task_run}, no. {one.task_no} (code {one.task_version[:12]})" if one.task_run else ""
    run = f"{one.run_name} ({one.run_id})" if one.run_name else one.run_id
    facts = {
        "source": one.source,
        "tracking run": run,
        "experiment": one.experiment,
        "task run": task_run,
        "flow run": f"{one.flow_run} ({one.flow_run_id})" if one.flow_run else one.flow_run_id,
        "flow": one.flow,
        "code": " ".join(part for part in (one.code_file, one.code_version) if part),
    }
    lines: list[Line] = [[(f"{one.name} version {one.version}", "bold")], *_pairs(facts)]
    for use in one.data:
        what = f"{use.name} {use.context}".strip()
        lines.append([("  data          ", "dim"), (use.digest, "bold"), (f"  {what}", ""), (f"  by {use.via}", "dim")])
    return lines


def _pairs(facts: dict[str, str]) -> list[Line]:
    return [[(f"  {name:14}", "dim"), (one_line(value), "")] for name, value in facts.items() if value]


def _print(lines: list[Line]) -> None:
    screen_of(sys.stdout).print(lines)


def _plain(view: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(view)
    return found
