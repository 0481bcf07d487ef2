"""The progress of a comparison: bars on a terminal, a line each tenth elsewhere."""

from __future__ import annotations

import io

from rich.console import Console

from domain.comparison.results import ComparisonResults, ContestantAnswer
from domain.extraction.model import ExtractionStatus
from entrypoints.cli.progress import ComparisonProgress
from tests.comparisons import LOCAL, OTHER, PROVENANCE, TEXTS, a_spec

SPEC = a_spec(texts=TEXTS, contestants=(LOCAL, OTHER), repeats=10)


def answer(
    repeat: int, text_id: str = "a", *, name: str = "local", s: float = 0.1
) -> ContestantAnswer:
    status = ExtractionStatus.FAILED if repeat == 5 else ExtractionStatus.VALID
    return ContestantAnswer(
        contestant=name, text_id=text_id, repeat=repeat, status=status, fields={}, latency_s=s
    )


def shown(
    *answers: ContestantAnswer, known: tuple[ContestantAnswer, ...] = (), terminal: bool = False
) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=100)
    answered = {each.key: each for each in known}
    before = ComparisonResults(spec=SPEC, provenance=PROVENANCE, answers=answered)
    with ComparisonProgress(console, SPEC, before) as progress:
        for each in answers:
            progress.heard(each)
    return file.getvalue()


def test_a_line_is_printed_for_each_tenth() -> None:
    lines = shown(*(answer(repeat, text.id) for repeat in range(10) for text in TEXTS)).splitlines()
    assert len(lines) == 11
    assert lines[0].startswith("local: 1/30, 1 valid, ")
    assert lines[0].endswith(" left")
    assert lines[-1] == "local: 30/30, 3 failed, 27 valid"


def test_what_stands_in_the_results_counts_and_other_answers_do_not() -> None:
    beyond = answer(11)
    known = (answer(0), answer(1), beyond)
    assert shown(answer(2), known=known).startswith("local: 3/30, 3 valid, ")


def test_a_slow_contestant_is_told_by_the_time_of_a_text() -> None:
    assert " 30 s a text, 0:14:" in shown(answer(0, s=30.0))


def test_a_terminal_gets_a_bar_for_each_contestant() -> None:
    seen = shown(answer(0), answer(0, name="other"), terminal=True)
    assert "1/30" in seen
    assert seen.count("local") == seen.count("other")
