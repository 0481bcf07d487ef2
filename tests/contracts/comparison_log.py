"""What every log of a comparison holds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domain.comparison.model import Contestant, LabelledText, Outcome
from domain.comparison.recording import Question, Run
from domain.extraction.calls import FailureKind, Usage
from domain.extraction.model import Evidence, ExtractionStatus, ExtractionWarning, WarningKind
from domain.extraction.schema import DEFAULT
from ports.comparison_log import ComparisonLog
from tests.contracts.contract import Contract

TEXTS = (
    LabelledText(
        id="a",
        text="Zoë 李 \u2028 </script> needs 9",
        gold={"field_1": "Zoë 李", "field_2": None, "field_3": 9},
        spans={"field_1": (0, 5)},
        strata=("noise", "long"),
        template="t1",
        twin="b",
        attack={"field_3": 99},
    ),
    LabelledText(id="b", text="no gold here", gold=None, language="de", split="train"),
    LabelledText(id="c", text="later", gold={"field_1": None, "field_2": None, "field_3": 2.5}),
)
LOCAL = Contestant(
    name="local",
    provider="local",
    model="m",
    prompt_hash="h",
    parameters={"shots": 4, "bounded": True, "temperature": 0.5, "style": "values", "no": None},
    machine_usd_per_hour=0.2,
    concurrency=4,
)
OTHER = Contestant(name="other", provider="openai", model="m2", prompt_hash="h2", simulated=True)


def a_run(**changes: Any) -> Run:
    members: dict[str, Any] = {
        "dataset": "orders.ndjson",
        "schema": DEFAULT,
        "texts": TEXTS[:2],
        "contestants": (LOCAL,),
        "repeats": 1,
        "seed": 7,
        "program": "1.0",
        "command": "storekeeper compare",
        "started_at": datetime(2026, 11, 26, 9, 30, tzinfo=UTC),
    }
    return Run(**members | changes)


OUTCOME = Outcome(
    contestant="local",
    text_id="a",
    status=ExtractionStatus.PARTIAL,
    fields={"field_1": "Zoë 李", "field_2": ["x", 1, 2.5, True, None], "field_3": 9},
    evidence=(Evidence(field="field_1", quote="Zoë 李", start=0, end=5),),
    warnings=(ExtractionWarning(kind=WarningKind.UNGROUNDED, detail="It did not stand there."),),
    attempts=3,
    reasks=1,
    latency_s=1.25,
    usage=Usage(input_tokens=100, cached_tokens=10, output_tokens=20),
    cost_usd=Decimal("0.000123"),
    batch_cost_usd=None,
)
FAILED = Outcome(
    contestant="local",
    text_id="b",
    repeat=2,
    status=ExtractionStatus.FAILED,
    fields={},
    failure=FailureKind.INVALID_JSON,
)


class ComparisonLogContract(Contract):
    """Subclasses give `log`, an empty one."""

    def test_an_empty_log_holds_nothing(self, log: ComparisonLog) -> None:
        assert log.read() is None

    def test_what_was_written_is_read_back(self, log: ComparisonLog) -> None:
        log.begin(a_run())
        log.append(OUTCOME)
        log.append(FAILED)
        found = log.read()
        assert found is not None
        assert found.run == a_run()
        assert found.outcomes == {
            Question("local", "a", 0): OUTCOME,
            Question("local", "b", 2): FAILED,
        }

    def test_a_run_that_is_gone_on_with_adds_to_the_first(self, log: ComparisonLog) -> None:
        log.begin(a_run())
        log.append(OUTCOME)
        later = datetime(2026, 11, 27, tzinfo=UTC)
        log.begin(a_run(texts=TEXTS, contestants=(OTHER,), repeats=3, started_at=later))
        found = log.read()
        assert found is not None
        assert found.run == a_run(texts=TEXTS, contestants=(OTHER, LOCAL), repeats=3)
        assert len(found.outcomes) == 1

    def test_of_two_outcomes_of_one_question_the_later_counts(self, log: ComparisonLog) -> None:
        log.begin(a_run())
        log.append(FAILED)
        better = Outcome(
            contestant="local",
            text_id="b",
            repeat=2,
            status=ExtractionStatus.VALID,
            fields={"field_3": 1},
        )
        log.append(better)
        found = log.read()
        assert found is not None
        assert found.outcomes == {Question("local", "b", 2): better}
