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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapters.embedded.installation import free_port
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
from domain.extraction.schema import ORDER_MESSAGE
from domain.extraction.windows import windows
from ports.language_models import LanguageModel

SOURCES = Path(__file__).parents[2] / "src"
SERVER = (sys.executable, "-m", "adapters.embedded.model_server")
SLOTS = 4
PATIENCE_S = 600.0


async def main() -> None:
    """Write a line for each value of each text that was read in one piece."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, nargs="+", required=True, help="datasets, NDJSON")
    parser.add_argument("--limit", type=int, help="of each dataset, its first so many texts")
    parser.add_argument("--model", default="smollm2-135m", help="the name to ask it by")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    texts: list[LabelledText] = []
    for path in options.texts:
        with path.open("rb") as file:
            texts += read_labelled_texts(file, ORDER_MESSAGE)[: options.limit]
    port, key = free_port(), secrets.token_hex(16)
    program = RunningProgram(
        name="model",
        argv=(*SERVER, str(port), options.model, "tuned"),
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
    try:
        await program.start()
        async with open_language_models(
            [config], call_timeout_s=PATIENCE_S, concurrency=SLOTS
        ) as models:
            lines = await _asked(models["local"], texts)
    finally:
        await program.stop()
    with options.out.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


async def _asked(model: LanguageModel, texts: list[LabelledText]) -> list[dict[str, Any]]:
    loop = ValidationLoop(
        validator=PydanticRecordValidator(),
        monotonic=time.monotonic,
        new_mark=lambda: secrets.token_hex(4),
    )
    waiting = iter(texts)
    found: dict[str, list[dict[str, Any]]] = {}

    async def work() -> None:
        for text in waiting:
            if len(windows(text.text, text_budget(ORDER_MESSAGE, model.profile))) > 1:
                continue
            state = ValidationLoopState(
                deadline=time.monotonic() + 5 * PATIENCE_S, wait_s=PATIENCE_S
            )
            try:
                reading = await loop.read(
                    model, ORDER_MESSAGE, text.text, state, commands(text.text)
                )
            except ModelCallFailed as error:
                print(f"{text.id}: {error.failure.detail}", file=sys.stderr)
                continue
            found[text.id] = list(_values(text, reading))
            print(f"\r{len(found)} of {len(texts)}", end="", file=sys.stderr)

    await asyncio.gather(*(work() for _ in range(SLOTS)))
    print(file=sys.stderr)
    return [line for text in texts for line in found.get(text.id, ())]


def _values(text: LabelledText, reading: ValidatedAnswer) -> Iterator[dict[str, Any]]:
    if failure_of(ORDER_MESSAGE, reading) is not None:
        return
    dropped = reading.faults()
    fields = {field.name: reading.values.get(field.name) for field in ORDER_MESSAGE.fields}
    answer = ContestantAnswer(
        contestant="local", text_id=text.id, status=ExtractionStatus.PARTIAL, fields=fields
    )
    expected, _ = read_order(text.text, list(fields))
    for field in ORDER_MESSAGE.fields:
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
            "regex": same(field, fields[field.name], expected[field.name]),
        }


if __name__ == "__main__":
    asyncio.run(main())
