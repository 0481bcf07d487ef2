"""`storekeeper completion`: what lets a shell complete the command's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from entrypoints.cli.options import help_end

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    epilog=help_end(
        'eval "$(storekeeper completion bash)"',
        "storekeeper completion zsh > ~/.zfunc/_storekeeper",
        "storekeeper completion fish > ~/.config/fish/completions/storekeeper.fish",
    ),
)
@click.argument("shell", type=click.Choice(_SHELLS))
def command(*, shell: str) -> None:
    """Print what lets SHELL complete commands, options and their values at the Tab key.

    In bash (4.4 or newer), write the first line below into ~/.bashrc. In zsh, name the folder of
    the file in `fpath` before `compinit` in ~/.zshrc. In fish, the file is enough. The command asks
    no server while it completes.
    """
    root = click.get_current_context().find_root()
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the three"
    click.echo(kind(root.command, {}, "storekeeper", "_STOREKEEPER_COMPLETE").source())
