"""`geoscribe audit`: people judge samples, and figures and a revision follow from it."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline.quantity import quantity


class _OpensByDefault(TyperGroup):
    """`geoscribe audit DATASET` is short for `geoscribe audit open DATASET`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `open` in front of what is no command and no option."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["open", *args]
        return super().parse_args(ctx, args)


audit_app = typer.Typer(
    cls=_OpensByDefault,
    help="Judge samples on a page, and get figures of it. `geoscribe audit DATASET` opens the page.",
    no_args_is_help=True,
)

Where = Annotated[
    str,
    typer.Argument(metavar="DATASET|WORKSPACE", help="Folder or URL of a published dataset, or of a build's layers."),
]
Database = Annotated[
    str | None,
    typer.Option(help="SQLite file or postgresql:// URL; DATASET.audit.sqlite beside the dataset if left out."),
]
Alias = Annotated[str, typer.Option(help="Your alias.")]


class Form(StrEnum):
    """Forms of the report."""

    HTML = "html"
    CSV = "csv"
    JSON = "json"


class Tool(StrEnum):
    """Other tools that judge queues."""

    LABEL_STUDIO = "label-studio"
    ARGILLA = "argilla"


@audit_app.command("open")
def open_page(
    where: Where,
    database: Database = None,
    alias: Alias = "lead",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8750,
    tls_certificate: Annotated[Path | None, typer.Option(help="Certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
    behind_proxy: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Of a proxy in front that ends TLS: nothing else is served."),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="Host name that people use. May be given several times.")
    ] = None,
) -> None:
    """Open the page where samples are judged."""
    from tools.audit.opening import open_audit
    from tools.audit.plan_file import Plan
    from tools.audit.plans import all_plans, make_plan
    from tools.audit.server.room import Room
    from tools.audit.server.running import Address, check, serve

    address = Address(host, port, tls_certificate, tls_key, behind_proxy, tuple(name or ()))
    desk, library = open_audit(where, database)
    with desk.reading() as connection:
        planned = bool(all_plans(connection))
    if not planned:
        check(address, tokens=True)
        _print_drawn("all", make_plan(desk, library, Plan(name="all"), alias))
    at = f"https://{(name or [host])[0]}" if tls_certificate or behind_proxy else f"http://{host}"
    print(f"open {at}{'' if behind_proxy else f':{port}'}/ ; stop it with Ctrl-C", flush=True)
    serve(Room(desk, library), address, alias)


@audit_app.command()
def plan(
    where: Where,
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan (YAML), see docs/audit.md.")],
    database: Database = None,
    alias: Alias = "lead",
) -> None:
    """Draw a queue of samples to judge."""
    from tools.audit.opening import open_audit
    from tools.audit.plan_file import read_plan
    from tools.audit.plans import make_plan

    chosen = read_plan(file)
    desk, library = open_audit(where, database)
    _print_drawn(chosen.name, make_plan(desk, library, chosen, alias))


@audit_app.command()
def enrol(
    where: Where,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="Alias of a person.")],
    lead: Annotated[bool, typer.Option("--lead", help="A lead adjudicates and sees the report.")] = False,
    database: Database = None,
) -> None:
    """Give a person a token, shown once. From the first one on everybody needs one."""
    from tools.audit.opening import open_audit
    from tools.audit.people import enrol as add

    desk, _ = open_audit(where, database)
    print(add(desk, alias, "lead" if lead else "annotator", with_token=True))


@audit_app.command()
def report(
    where: Where,
    database: Database = None,
    form: Annotated[Form, typer.Option(help="Form of the report.")] = Form.HTML,
    out: Annotated[Path | None, typer.Option(help="Path of the report; audit.FORM if left out.")] = None,
) -> None:
    """Write the figures of an audit: pass rates, agreement, annotators, retrieval, the build's verdicts."""
    from tools.audit.figures import figures_of
    from tools.audit.opening import open_audit
    from tools.audit.report import as_csv, as_json, render_alone
    from tools.output import writing

    desk, library = open_audit(where, database, create=False)
    figures = figures_of(desk, library)
    text = {Form.HTML: render_alone, Form.CSV: as_csv, Form.JSON: as_json}[form](figures)
    target = out or Path(f"audit.{form.value}")
    with writing(target):
        target.write_text(text, encoding="utf-8")
    print(f"report: {target}")


@audit_app.command()
def apply(
    where: Where,
    database: Database = None,
    out: Annotated[Path, typer.Option(help="Path of the file (.json).")] = Path("audit-decisions.json"),
    earlier: Annotated[
        Path | None, typer.Option(help="File by which the dataset was published; what stands of it goes on.")
    ] = None,
) -> None:
    """Write the decisions as a file that `publish.decisions` of a build file names; the next build publishes by it."""
    from pipeline.publishing.decisions import read_decisions
    from tools.audit.apply import decisions_file
    from tools.audit.opening import open_audit
    from tools.output import writing

    desk, library = open_audit(where, database, create=False)
    made, notes = decisions_file(desk, library, read_decisions(earlier, library.dataset.manifest.name, "--earlier"))
    with writing(out):
        out.write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for note in notes:
        print(note)
    print(f"decisions: {out} ({quantity(len(made.edited), 'sample')} edited, {len(made.rejected)} rejected)")


@audit_app.command()
def export(
    where: Where,
    queue: Annotated[str, typer.Option(help="Name of the queue.")],
    tool: Annotated[Tool, typer.Option(help="For which tool.")],
    out: Annotated[Path, typer.Option(help="Folder to write; it must not be there yet.")],
    database: Database = None,
    pictures: Annotated[
        str | None,
        typer.Option(help="Address that the pictures will have; if left out, Label Studio's local storage serves them, "
                          "and Argilla's records hold them."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also what is decided, held by somebody, or of a lot that is decided.")
    ] = False,
) -> None:  # fmt: skip
    """Write the open judgements of a queue as Label Studio's tasks, or as an Argilla dataset."""
    from tools.audit.exchange import argilla, label_studio
    from tools.audit.exchange.items import items_of, new_folder, tasks_to_export
    from tools.audit.opening import open_audit
    from tools.output import writing

    new_folder(out)
    desk, library = open_audit(where, database, create=False)
    rows, others = tasks_to_export(desk, library, queue, every=every)
    write = {Tool.LABEL_STUDIO: label_studio.write, Tool.ARGILLA: argilla.write}[tool]
    with writing(out):
        count = write(items_of(rows, library), out, pictures)
    left_out = "".join(f"; {number} left out: {why}" for why, number in sorted(others.items()))
    print(f"{tool.value}: {out} ({quantity(count, 'task')}{left_out})")


@audit_app.command("import")
def import_(
    where: Where,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Label Studio's JSON export, or Argilla's folder.")],
    tool: Annotated[Tool, typer.Option(help="From which tool.")],
    database: Database = None,
    person: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=ALIAS", help="Alias of a user there. May be given several times."),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back what the file recorded, with the same people.")
    ] = False,
) -> None:
    """Record what was judged in another tool; all of a file, or nothing if an answer is about an unknown task."""
    from tools.audit.exchange import argilla, label_studio
    from tools.audit.exchange.importing import aliases_of, record_replies, take_back_replies
    from tools.audit.opening import open_audit

    people = aliases_of(person or [])
    replies = {Tool.LABEL_STUDIO: label_studio.read, Tool.ARGILLA: argilla.read}[tool](file)
    desk, library = open_audit(where, database, create=False)
    if undo:
        undone = take_back_replies(desk, replies, people, tool.value)
        for note in undone.notes:
            print(note)
        print(f"{undone.count} taken back, {len(undone.notes)} left as they are")
        return
    done = record_replies(desk, library, replies, people, tool.value)
    for note in done.notes:
        print(note)
    print(f"{done.recorded} recorded, {done.known} known already, {len(done.notes)} left out")


@audit_app.command("verify-log")
def verify_log(where: Where, database: Database = None) -> None:
    """Check that nobody has changed the log; exit code 1 if somebody has."""
    from tools.audit import log
    from tools.audit.database.opening import open_desk
    from tools.audit.opening import database_of, dataset_of

    desk = open_desk(database_of(dataset_of(where), database), create=False)
    with desk.reading() as connection:
        faults, head = log.verify(connection), log.head(connection)
    for fault in faults:
        print(fault)
    print(quantity(len(faults), "fault") if faults else f"sound; the last hash is {head}")
    if faults:
        raise typer.Exit(1)


def _print_drawn(name: str, drawn: object) -> None:
    from tools.audit.plans import Drawn

    assert isinstance(drawn, Drawn)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(drawn.tasks.items()))
    print(f"queue {name!r}: {counts}")
    for note in drawn.notes:
        print(f"  {note}", file=sys.stderr)
