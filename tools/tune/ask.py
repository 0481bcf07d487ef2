"""Asks the embedded model about labelled texts, and writes how sure it was of each value.

Runs in the environment of the service, which this is asked by; `calibrate.py` reads what it writes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

from adapters.embedded.installation import free_port
from adapters.embedded.model_server import ADAPTER
from adapters.embedded.program import RunningProgram, answers_http
from adapters.files.labelled_texts import read_labelled_texts
from adapters.llm.clients import ModelConfig
from adapters.llm.connections import open_language_models
from adapters.llm.record_validator import PydanticRecordValidator
from domain.comparison.baseline import read_order
from domain.comparison.judgements import judge, same
from domain.comparison.model import LabelledText
from domain.comparison.results import ContestantAnswer
from domain.extraction.answers import ValidatedAnswer, failure_of
from domain.extraction.calls import ModelCallFailed
from domain.extraction.confidence import FEATURES, Calibration
from domain.extraction.conversation import ValidationLoop, ValidationLoopState
from domain.extraction.model import ExtractionStatus
from domain.extraction.prompt_injection import commands
from domain.extraction.prompting import TUNED_PROMPT, text_budget
from domain.extraction.schema import DEFAULT, ORDER_MESSAGE, RecordSchema
from domain.extraction.windows import windows
from labelled_messages.training.examples import examples
from ports.language_models import LanguageModel

SOURCES = Path(__file__).parents[2] / "src"
SERVER = (sys.executable, "-m", "adapters.embedded.model_server")
SLOTS = 4
PATIENCE_S = 600.0


async def main() -> None:
    """Write a line for each value of each text that was read in one piece."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, nargs="*", default=[], help="datasets, NDJSON")
    parser.add_argument("--limit", type=int, help="of each dataset, its first so many texts")
    parser.add_argument("--others", type=int, default=0, help="held-out texts of other records")
    parser.add_argument("--model", default="smollm2-135m", help="the name to ask it by")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    texts: list[tuple[RecordSchema, LabelledText]] = list(_others(options.others))
    for path in options.texts:
        with path.open("rb") as file:
            read = read_labelled_texts(file, ORDER_MESSAGE)[: options.limit]
        texts += [(ORDER_MESSAGE, text) for text in read]
    port, key = free_port(), secrets.token_hex(16)
    program = RunningProgram(
        name="model",
        argv=(*SERVER, str(port), options.model, "--adapter", str(ADAPTER)),
        log=options.out.with_suffix(".log"),
        env={**os.environ, "PYTHONPATH": str(SOURCES), "MODEL_API_KEY": key},
        is_ready=answers_http("127.0.0.1", port, "/health"),
    )
    config = ModelConfig(
        provider="local",
        model=options.model,
        base_url=f"http://127.0.0.1:{port}/v1",
        api_key=key,
        adapter=TUNED_PROMPT,
        # Log-probabilities are asked for where there is a calibration; what it says is not used.
        calibration=Calibration(
            model=options.model,
            prompt=TUNED_PROMPT,
            types=frozenset(),
            intercept=0.0,
            coefficients=dict.fromkeys(FEATURES, 0.0),
        ),
    )
    part = options.out.with_suffix(".part")
    try:
        await program.start()
        async with open_language_models(
            [config], call_timeout_s=PATIENCE_S, concurrency=SLOTS
        ) as models:
            with part.open("w", encoding="utf-8") as file:
                await _ask(models["local"], texts, file)
    finally:
        await program.stop()
    part.replace(options.out)


def _others(count: int) -> Iterator[tuple[RecordSchema, LabelledText]]:
    """Texts that ask for other records than orders, of the parts kept from what is tuned with."""
    known = {ORDER_MESSAGE.name, DEFAULT.name}
    found = (
        (each.schema, LabelledText(id=f"other-{place}", text=each.text, gold=each.gold))
        for place, each in enumerate(examples(20 * count, seed=7, held_out=True))
        if each.schema.name not in known
    )
    return islice(found, count)


async def _ask(
    model: LanguageModel, texts: Sequence[tuple[RecordSchema, LabelledText]], file: IO[str]
) -> None:
    loop = ValidationLoop(
        validator=PydanticRecordValidator(),
        monotonic=time.monotonic,
        new_mark=lambda: secrets.token_hex(4),
    )
    waiting = iter(texts)
    done = 0

    async def work() -> None:
        nonlocal done
        for schema, text in waiting:
            if len(windows(text.text, text_budget(schema, model.profile))) > 1:
                continue
            state = ValidationLoopState(
                deadline=time.monotonic() + 5 * PATIENCE_S, wait_s=PATIENCE_S
            )
            try:
                reading = await loop.read(model, schema, text.text, state, commands(text.text))
            except ModelCallFailed as error:
                print(f"{text.id}: {error.failure.detail}", file=sys.stderr)
                continue
            for line in _values(schema, text, reading):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
            done += 1
            print(f"\r{done} of {len(texts)}", end="", file=sys.stderr)

    await asyncio.gather(*(work() for _ in range(SLOTS)))
    print(file=sys.stderr)


def _values(
    schema: RecordSchema, text: LabelledText, reading: ValidatedAnswer
) -> Iterator[dict[str, Any]]:
    if failure_of(schema, reading) is not None:
        return
    dropped = reading.faults()
    fields = {field.name: reading.values.get(field.name) for field in schema.fields}
    answer = ContestantAnswer(
        contestant="local", text_id=text.id, status=ExtractionStatus.PARTIAL, fields=fields
    )
    is_order = schema is ORDER_MESSAGE
    expected = read_order(text.text, list(fields))[0] if is_order else {}
    for field in schema.fields:
        told = reading.log_probabilities.get(field.name)
        if not told or text.gold is None or field.name not in text.gold:
            continue
        yield {
            "text": text.id,
            "wording": text.template or text.twin or text.id,
            "field": field.name,
            "type": field.type.value,
            "right": judge(field, text.gold, answer).right,
            "log_probabilities": told,
            "silent": field.name not in dropped and fields[field.name] is None,
            "dropped": field.name in dropped,
            "regex": is_order and same(field, fields[field.name], expected[field.name]),
        }


if __name__ == "__main__":
    asyncio.run(main())
