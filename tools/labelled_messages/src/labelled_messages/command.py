"""`labelled-messages`: texts with right answers, to compare providers on."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from adapters.files.labelled_texts import DATASET_FORMATS, dataset_format_of, write_labelled_texts
from domain.comparison.model import LabelledText
from domain.comparison.report_builder import dataset_hash
from domain.extraction.schema import ORDER_MESSAGE
from labelled_messages.messages import SCHEMAS, messages
from labelled_messages.strata import Split

_ALL: Final = "all"


@click.command("labelled-messages", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--n",
    "count",
    type=click.IntRange(1),
    default=1_200,
    show_default=True,
    help="Messages of the whole set; five of six are in the part `test`.",
)
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same set.")
@click.option(
    "--schema",
    type=click.Choice(list(SCHEMAS)),
    default=ORDER_MESSAGE.name,
    show_default=True,
    help="The record whose fields the answers name; the texts are the same.",
)
@click.option(
    "--split",
    type=click.Choice([*(each.value for each in Split), _ALL]),
    default=_ALL,
    show_default=True,
    help="Write one part: `test` is for judging, `dev` for work on prompts.",
)
@click.option(
    "--format", "form", type=click.Choice(DATASET_FORMATS), help="[default: by the ending]"
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
def command(*, count: int, seed: int, schema: str, split: str, form: str | None, out: Path) -> None:
    """Make customers' messages with the orders in them, and where each value stands.

    In nine kinds, from clean to attacked; see docs/reference/dataset.md.
    """
    part = None if split == _ALL else Split(split)

    texts = list(messages(count, seed=seed, schema=schema, split=part))
    # A file under its own name is a whole one.
    partial = out.with_name(f"{out.name}.part")
    try:
        with partial.open("wb") as file:
            write_labelled_texts(file, texts, SCHEMAS[schema], form=form or dataset_format_of(out))
        partial.replace(out)
    except OSError as error:
        click.echo(f"labelled-messages: {error.filename}: {error.strerror}.", err=True)
        sys.exit(1)
    click.echo(f"{out}: {len(texts)} texts, SHA-256 {dataset_hash(texts)}")
    for line in _counts(texts):
        click.echo(line)


def _counts(texts: Sequence[LabelledText]) -> Sequence[str]:
    counts = Counter(text.strata[0] for text in texts)
    return [f"  {stratum:<16}{count:>6}" for stratum, count in counts.most_common()]
