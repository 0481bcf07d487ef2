"""Writes the texts to tune with: the very prompts that the service will send, and the answers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from domain.extraction.prompting import TUNED_PROMPT, build_prompt
from labelled_messages.training.examples import examples
from ports.language_models import AnswerShape, ModelProfile

PROFILE = ModelProfile(
    provider="local",
    model="tuned",
    style=AnswerShape.VALUES,
    bounded=True,
    context_tokens=4_096,
    max_output_tokens=1_024,
    max_choices=1_000,
    shots=0,
    reasks=0,
    parameters={},
    tuned_to=TUNED_PROMPT,
)


def main() -> None:
    """Write a line for each example: `messages`, `answer`, and what to group figures by."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--held-out", action="store_true", help="of parts kept from the others")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with options.out.open("w", encoding="utf-8") as file:
        for example in examples(options.n, seed=options.seed, held_out=options.held_out):
            prompt = build_prompt(example.schema, example.text, PROFILE, new_mark=str)
            row = {
                "messages": [
                    {"role": each.role, "content": each.content} for each in prompt.messages
                ],
                "answer": json.dumps(example.gold, ensure_ascii=False),
                "stratum": example.stratum,
                "language": example.language,
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
