"""`python -m entrypoints.fake_provider`: the command without the rest of the command line."""

from entrypoints.cli.fake_provider import command

if __name__ == "__main__":
    command()
