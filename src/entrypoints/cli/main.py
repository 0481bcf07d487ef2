"""The `storekeeper` command: each subcommand is loaded when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click
from click.shell_completion import CompletionItem

from entrypoints.cli.process import end_interrupted, flush_output, guard_output, heed_signals

_COMMANDS: Final = {
    "up": ("entrypoints.cli.up", "Start everything on this machine."),
    "status": (
        "entrypoints.cli.stack:status_command",
        "See what `up` runs here, and whether it is ready.",
    ),
    "stop": ("entrypoints.cli.stack:stop_command", "Stop what `up` runs here."),
    "logs": ("entrypoints.cli.logs", "Read the logs of what `up` runs here."),
    "reset": ("entrypoints.cli.stack:reset_command", "Delete the data of what `up` ran here."),
    "serve": ("entrypoints.cli.serve", "Serve the API over HTTPS."),
    "worker": ("entrypoints.cli.worker", "Run the jobs of the queue."),
    "extract": ("entrypoints.cli.extract", "Turn texts into records."),
    "jobs": ("entrypoints.cli.jobs", "See extraction jobs; pause, resume or cancel them."),
    "models": (
        "entrypoints.cli.models",
        "See, fetch and check models that run on this machine.",
    ),
    "compare": ("entrypoints.cli.compare", "Compare providers on the same texts."),
    "providers": (
        "entrypoints.cli.providers",
        "See what holds calls to providers back, and let them through.",
    ),
    "extraction-schemas": (
        "entrypoints.cli.extraction_schemas",
        "Define the records that texts become.",
    ),
    "clicks": ("entrypoints.cli.clicks", "Bring the log of searches in from files, or out."),
    "insights": ("entrypoints.cli.insights", "Compute and show the search insights."),
    "sample-data": ("entrypoints.cli.sample_data", "Make a made-up shop."),
    "db": (
        "entrypoints.cli.db",
        "Migrate the database, see how it stands, back it up, restore it.",
    ),
    "psql": ("entrypoints.cli.db:psql_command", "Look into the database with SQL."),
    "keys": ("entrypoints.cli.keys", "Say who may come in: make keys, list and revoke them."),
    "audit": ("entrypoints.cli.audit", "See who did what."),
    "webhooks": (
        "entrypoints.cli.webhooks",
        "Tell other programs when a job is done or stops.",
    ),
    "health": ("entrypoints.cli.health", "Ask the server of this machine how it is."),
    "doctor": ("entrypoints.cli.doctor", "Check everything, and say what to do."),
    "tls": ("entrypoints.cli.tls", "Let browsers trust the certificates of `up`."),
    "completion": ("entrypoints.cli.completion", "Let a shell complete the command's words."),
    "docs": ("entrypoints.cli.docs", "Read the documentation, without a network."),
}
"""Name to module and summary; the module holds the command as `command`, unless `:` names it."""


class LazyGroup(click.Group):
    """Knows its commands by name, so that help and the fast ones import little."""

    def list_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 (click calls it so)
    ) -> list[str]:
        """All names."""
        return list(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 (click calls it so)
        cmd_name: str,
    ) -> click.Command | None:
        """Load one command; None for an unknown name."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name or "command")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands, and options, without loading a command."""
        names = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; where it says nothing of being interrupted itself, this does."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            end_interrupted("", "Nothing is left half done.")

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 (click calls it so)
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.command(
    "storekeeper",
    cls=LazyGroup,
    epilog="\b\nExamples:\n  storekeeper\n  storekeeper up --detach\n  storekeeper doctor",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="storekeeper", message="%(version)s")
@click.pass_context
def storekeeper(context: click.Context) -> None:
    """The back office of an online shop over its own PostgreSQL.

    Settings come from the environment and from a file `.env` in the working directory. Without a
    command: what runs here, and what to do next.
    """
    if context.invoked_subcommand is None:
        _say_overview()


def _say_overview() -> None:
    """Print the first page; exit code 2 where `.env` cannot be read."""
    # Loaded here: each command starts through this module.
    from entrypoints.env_file import (  # noqa: PLC0415
        EnvFileError,
        file_and_environment,
        read_env_file,
    )
    from entrypoints.up.overview import overview  # noqa: PLC0415
    from entrypoints.up.state import (  # noqa: PLC0415
        StateDirectory,
        StateDirectoryError,
        default_state_directory,
    )

    try:
        given = file_and_environment(read_env_file())
    except EnvFileError as error:
        click.echo(f"The settings cannot be used:\n{error}", err=True)
        sys.exit(2)
    try:
        state = StateDirectory(default_state_directory(given))
        record = state.recorded() if state.is_held() else None
    except StateDirectoryError as error:
        click.echo(f"storekeeper: {error}", err=True)
        sys.exit(1)
    click.echo(overview(state, record, own_servers="DATABASE_URL" in given))


def main() -> None:
    """Run the command line to the end of the process."""
    guard_output()
    heed_signals()
    try:
        storekeeper(prog_name="storekeeper")
    finally:
        flush_output()


if __name__ == "__main__":
    main()
