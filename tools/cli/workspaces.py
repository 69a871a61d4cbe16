"""Commands that look at a build's workspace: `status` and `gc`."""

from typing import Annotated

import typer

from pipeline.errors import ConfigError, Problem
from tools.cli.as_json import JsonOption, print_json

WorkspaceArgument = Annotated[str, typer.Argument(metavar="WORKSPACE", help="Folder or URL of a build's layers.")]


def status(
    workspace: WorkspaceArgument,
    as_json: JsonOption = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show progress until all is finished, or until Ctrl-C.")
    ] = False,
) -> None:
    """Show what is done, what failed and why, missing views, what is out of date, and how busy the last run was."""
    from pipeline.engine.workspace import read_state
    from pipeline.storage import open_store
    from tools.cli.last_run import last_run
    from tools.cli.records import state_record
    from tools.cli.tables import print_last_run, print_state
    from tools.cli.watching import watch_state

    store = open_store(workspace, where="WORKSPACE", read_only=True)
    if watch:
        if as_json:
            raise ConfigError([Problem("--watch", "--json beside it", "one of the two")])
        watch_state(store)
    state, run = read_state(store), last_run(store)
    if as_json:
        print_json(state_record(state, run))
        return
    print_state(state)
    if run is not None:
        print_last_run(run)


def gc(
    workspace: WorkspaceArgument,
    replies: Annotated[
        bool,
        typer.Option("--replies", help="Remove the stored model replies too; to get them again costs again."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be removed, and remove nothing.")] = False,
) -> None:
    """Remove tables that an earlier build file left behind, and receipts of a publish that was killed.

    Do not use it while a build runs on the workspace.
    """
    from pipeline.engine.definition import definition
    from pipeline.engine.shard_jobs import receipts
    from pipeline.engine.workspace import collect_garbage, discard_replies, garbage, stored_replies
    from pipeline.storage import open_store
    from tools.cli.tables import of_regions_left_out

    store = open_store(workspace, where="WORKSPACE", read_only=True)  # a mistaken path is not made
    if dry_run:
        found = garbage(store)
        for file, size in found:
            print(f"{size:>12,} {file.path}")
        of_regions = of_regions_left_out([file for file, _ in found], definition(store).build)
        print(f"{len(found)} superseded tables, {sum(size for _, size in found):,} bytes, would be removed{of_regions}")
        if left := receipts(store):
            print(f"{len(left)} receipts of a publish that was killed would be removed")
        if replies:
            print(f"{len(stored_replies(store))} stored replies would be removed")
        return
    left = receipts(store)
    removed = collect_garbage(store)
    print(f"{len(removed)} superseded tables removed{of_regions_left_out(removed, definition(store).build)}")
    if left:
        print(f"{len(left)} receipts of a publish that was killed removed")
    if replies:
        print(f"{discard_replies(store)} stored replies removed")
