"""`python -m several_machines`."""

from several_machines.commands import command

if __name__ == "__main__":
    command(prog_name="several_machines")
