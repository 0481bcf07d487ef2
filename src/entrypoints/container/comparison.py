"""The adapters of a comparison, wired apart from those of the services: it needs no store."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from adapters.charts.vega import VegaChartRenderer, open_chart_renderer
from adapters.files.comparison_log import FileComparisonResultLog, read_results
from adapters.llm.capabilities import OwnRows, profile_of
from adapters.llm.clients import ModelConfig, load_sdk
from adapters.llm.connections import open_language_models
from adapters.llm.health import is_simulation, why_unreachable
from adapters.llm.record_validator import PydanticRecordValidator
from adapters.reports.comparison.data import CsvComparisonWriter, JsonComparisonWriter
from adapters.reports.comparison.page import HtmlComparisonWriter
from adapters.reports.comparison.text import MarkdownComparisonWriter
from adapters.statistics.scipy_statistics import ScipyStatistics
from adapters.system.clock import SystemClock
from domain.comparison.baseline import RegexExtractor
from domain.comparison.contestants import (
    BASELINE,
    ContestantSpec,
    contestant_of,
    read_contestants,
)
from domain.comparison.runner import Extractor, ModelExtractor
from domain.errors import InvalidInput, Violation
from domain.extraction.prompting import unservable
from domain.extraction.schema import RecordSchema
from domain.extraction.service import ExtractionService
from entrypoints.container.model_rows import read_model_rows
from entrypoints.container.models import document_deadline_s, model_configs, price_table
from entrypoints.settings import ModelCommandSettings, Provider
from ports.comparison import ComparisonWriter
from ports.language_models import LanguageModel
from ports.reports import ChartRenderer

__all__ = [
    "ContestantConditions",
    "FileComparisonResultLog",
    "ScipyStatistics",
    "check_reports",
    "comparison_writers",
    "now",
    "open_extractors",
    "open_writers",
    "read_results",
    "unreachable",
]

_LOCAL_SLOTS: Final = 4
"""The embedded server works on so many texts at once; more would wait inside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestantConditions:
    """How the contestants are asked.

    Attributes:
        concurrency: texts of one contestant at once; None for LLM_CONCURRENCY (and 4 at most for
            the embedded model).
        machine_usd_per_hour: of the machine that runs the models of `local` and
            `openai_compatible`; None if unknown.
        simulated: contestants that are declared to be simulations.
    """

    concurrency: int | None = None
    machine_usd_per_hour: float | None = None
    simulated: Collection[str] = ()


@asynccontextmanager
async def open_extractors(
    settings: ModelCommandSettings,
    providers: str,
    schema: RecordSchema,
    options: ContestantConditions,
) -> AsyncIterator[Sequence[Extractor]]:
    """The contestants of a list at work, in its order, for as long as the block runs.

    Raises:
        InvalidInput: the list cannot be read, or a contestant cannot serve the schema.
    """
    configured = {config.provider: config for config in model_configs(settings)}
    specs = read_contestants(providers, configured, "providers")
    _check_declared(specs, options.simulated)
    PydanticRecordValidator().check(schema)
    own = read_model_rows(settings.llm_models_file)
    configs = [
        _variant(configured[spec.provider], spec, own)
        for spec in specs
        if spec.provider != BASELINE
    ]
    async with AsyncExitStack() as stack:
        models = await stack.enter_async_context(
            open_language_models(
                configs,
                call_timeout_s=settings.llm_timeout_s,
                concurrency=options.concurrency or settings.llm_concurrency,
            )
        )
        _check_servable(schema, models)
        service = ExtractionService(
            models=models,
            chain=tuple(models),
            validator=PydanticRecordValidator(),
            prices=price_table(settings),
            monotonic=time.monotonic,
            new_mark=partial(secrets.token_hex, 4),
        )
        for provider in dict.fromkeys(config.provider for config in configs):
            await load_sdk(provider)  # else the first answers would seem slow
        places = dict.fromkeys(config.base_url for config in configs)
        stand_ins = {place for place in places if await is_simulation(place)}
        deadline_s = document_deadline_s(settings.llm_timeout_s)
        extractors: list[Extractor] = []
        for spec in specs:
            if spec.provider == BASELINE:
                extractors.append(RegexExtractor(schema, name=spec.name, now=time.monotonic))
                continue
            most = _LOCAL_SLOTS if spec.provider == Provider.LOCAL else settings.llm_concurrency
            stand_in = configured[spec.provider].base_url in stand_ins
            contestant = contestant_of(
                spec,
                models[spec.name].profile,
                schema,
                concurrency=options.concurrency or min(most, settings.llm_concurrency),
                machine_usd_per_hour=options.machine_usd_per_hour,
                simulated=stand_in or spec.name in options.simulated,
            )
            extractors.append(
                ModelExtractor(service, contestant, schema=schema, deadline_s=deadline_s)
            )
        yield extractors


async def unreachable(
    settings: ModelCommandSettings, providers: str, names: Collection[str]
) -> Sequence[str]:
    """A line for each contestant of `names` whose server cannot be connected to."""
    configured = {config.provider: config for config in model_configs(settings)}
    return [
        f"{spec.name}: {why}"
        for spec in read_contestants(providers, configured, "providers")
        if spec.name in names and spec.provider != BASELINE
        if (why := await why_unreachable(spec.provider, configured[spec.provider].base_url))
    ]


def check_reports(forms: Collection[str]) -> None:
    """See that a report can be made here, before anything is asked for it.

    Args:
        forms: the endings of its files.

    Raises:
        Unavailable: a library is not installed; says how to get it.
    """
    ScipyStatistics().check()
    if ".html" in forms:
        VegaChartRenderer().check()


@asynccontextmanager
async def open_writers() -> AsyncIterator[Mapping[str, ComparisonWriter]]:
    """The forms of a report, by the ending of their files."""
    async with open_chart_renderer() as charts:
        yield comparison_writers(charts)


def comparison_writers(charts: ChartRenderer) -> Mapping[str, ComparisonWriter]:
    """By the ending of their files, the one for readers first."""
    return {
        ".html": HtmlComparisonWriter(charts),
        ".md": MarkdownComparisonWriter(),
        ".csv": CsvComparisonWriter(),
        ".json": JsonComparisonWriter(),
    }


def now() -> datetime:
    """The current instant, aware, UTC."""
    return SystemClock().now()


def _variant(config: ModelConfig, spec: ContestantSpec, own: OwnRows) -> ModelConfig:
    """The configuration of a provider, as `spec` asks it."""
    model = spec.model or config.model
    adapter = config.adapter if model == config.model else None
    known = config.profile if model == config.model else None
    profile = spec.profile(known or profile_of(config.provider, model, adapter, own=own))
    return replace(config, name=spec.name, model=model, profile=profile)


def _check_declared(specs: Sequence[ContestantSpec], simulated: Collection[str]) -> None:
    names = [spec.name for spec in specs]
    unknown = [name for name in simulated if name not in names]
    if unknown:
        detail = f"names {unknown[0]!r}; the providers are {', '.join(names)}"
        raise InvalidInput.of([Violation(pointer="simulated", detail=detail)])


def _check_servable(schema: RecordSchema, models: Mapping[str, LanguageModel]) -> None:
    reasons = [
        Violation(pointer="schema", detail=f"{name} cannot serve {schema.name}: {reason}")
        for name, model in models.items()
        if (reason := unservable(schema, model.profile)) is not None
    ]
    if reasons:
        raise InvalidInput.of(reasons)
