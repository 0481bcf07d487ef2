"""`python -m demo walk` and `python -m demo compare-sample`."""

from demo.commands import command

if __name__ == "__main__":
    command(prog_name="demo")
