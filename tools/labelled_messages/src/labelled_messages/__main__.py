"""`python -m labelled_messages`: the command `labelled-messages`."""

from labelled_messages.command import command

if __name__ == "__main__":
    command()
