"""`python -m fake_provider`: the command `fake-llm-provider`."""

from fake_provider.command import command

if __name__ == "__main__":
    command()
