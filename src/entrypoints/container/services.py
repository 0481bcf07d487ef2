"""The graph of everything that the server, the worker and commands use over the stores.

It is synchronous. What has to be opened and closed (pools, clients) is opened by `open_container`
and enters the graph as a `Dependency`.
"""

from __future__ import annotations

import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import time as time_of_day
from functools import partial
from importlib.metadata import version
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from arq.connections import ArqRedis
from dependency_injector import containers, providers
from redis.asyncio import ConnectionPool

from adapters.arq.queue import (
    ArqWorkerWakeup,
    QueueDiagnosticCheck,
    QueueReadiness,
    decode_job,
    encode_job,
)
from adapters.charts.vega import VegaChartRenderer, open_chart_renderer
from adapters.embedded.launcher import end_with_parent
from adapters.llm.admission import ReportedRateLimits
from adapters.llm.connections import (
    OpenBatchModel,
    open_bare_model,
    open_batch_models,
    open_language_models,
)
from adapters.llm.health import LanguageModelDiagnosticCheck, ServedModels
from adapters.llm.record_validator import PydanticRecordValidator
from adapters.llm.valkey_admission import ValkeyProviderGates
from adapters.postgres.access import PostgresApiKeyRepository
from adapters.postgres.audit import PostgresAuditLog
from adapters.postgres.comparison import PostgresComparisonRepository
from adapters.postgres.extraction.activity import PostgresExtractionActivityReader
from adapters.postgres.extraction.batches import PostgresProviderBatches
from adapters.postgres.extraction.jobs import PostgresExtractionJobRepository
from adapters.postgres.extraction.queue import PostgresExtractionCache, PostgresExtractionQueue
from adapters.postgres.extraction.results import (
    PostgresExtractionRepository,
    PostgresExtractionSchemaRepository,
)
from adapters.postgres.health import PostgresDiagnosticCheck, PostgresReadiness
from adapters.postgres.insights.scheduled_runs import PostgresScheduledRunRepository
from adapters.postgres.insights.search_clicks import (
    PostgresClickImportRepository,
    PostgresSearchClickExport,
    PostgresSearchClickPruner,
    PostgresSearchClickWriter,
)
from adapters.postgres.insights.search_insights import (
    PostgresSearchAnalyser,
    PostgresSearchInsightRepository,
)
from adapters.postgres.model_spending import PostgresModelSpending
from adapters.postgres.pool import Database, PoolOptions, open_database
from adapters.postgres.records.orders import PostgresOrderRepository
from adapters.postgres.records.users import PostgresUserRepository
from adapters.postgres.samples import PostgresSampleSink
from adapters.postgres.unit_of_work import PostgresUnitOfWorkFactory
from adapters.postgres.webhooks import (
    PostgresWebhookDeliveryQueue,
    PostgresWebhookDeliveryRepository,
    PostgresWebhookEndpointRepository,
)
from adapters.reports.clicks import CsvClickEncoder, NdjsonClickEncoder, ParquetClickEncoder
from adapters.reports.result_formats import CsvFormat, NdjsonFormat, ParquetFormat
from adapters.statistics.scipy_statistics import ScipyStatistics
from adapters.system.clock import SystemClock
from adapters.system.email_syntax import EmailValidatorSyntax
from adapters.system.health import CertificateDiagnosticCheck, InsightDiagnosticCheck
from adapters.tokens.health import JwksDiagnosticCheck
from adapters.tokens.verifier import open_jwt_verifier
from adapters.valkey.key_announcements import ValkeyKeyChangePublisher, ValkeyKeyChangeSubscriber
from adapters.valkey.request_limits import (
    LocalRequestLimiter,
    SharedRequestLimiter,
    ValkeyRequestLimiter,
)
from adapters.valkey.sessions import ValkeySessionStore
from adapters.webhooks.sender import HttpWebhookSender
from domain.access.authentication import Authenticator
from domain.access.budgets import ModelBudgets
from domain.access.caller_limits import CallerLimits, stated_limits
from domain.access.key_cache import KeyCache, KeyUsage
from domain.access.service import KeyService
from domain.access.sessions import SessionService
from domain.access.tokens import IdentityTokenRules, ScopeClaim, read_meanings
from domain.comparison.stored_comparisons import StoredComparisonService
from domain.extraction.jobs.batch_processor import BatchOptions, BatchProcessor
from domain.extraction.jobs.batch_worker import BatchWorker
from domain.extraction.jobs.reader import DocumentExtractor
from domain.extraction.jobs.service import ExtractionJobService
from domain.extraction.jobs.settlement import RetryPolicy
from domain.extraction.jobs.worker import ExtractionWorker, WorkerOptions
from domain.extraction.schema_service import SchemaService
from domain.extraction.service import ExtractionService, SingleExtraction
from domain.insights.click_import import ClickImportService
from domain.insights.refresher import InsightRefresher
from domain.insights.retention import ClickRetentionService
from domain.insights.run_history import DailySchedule
from domain.insights.service import InsightService
from domain.records.service import OrderService, UserService
from domain.webhooks.addresses import Network
from domain.webhooks.service import WebhookService
from domain.webhooks.worker import WebhookWorker
from entrypoints.container.comparison import comparison_writers
from entrypoints.container.models import (
    document_deadline_s,
    model_configs,
    price_table,
    stand_in_probe,
)
from entrypoints.settings import (
    ConnectionSettings,
    DatabaseSettings,
    ModelCommandSettings,
    Provider,
    Settings,
    TokenSettings,
    WorkerSettings,
)
from entrypoints.up.sample_data.filling import SampleFiller
from ports.access import TokenVerifier
from ports.health import DiagnosticCheck
from ports.language_models import LanguageModel

__all__ = [
    "Container",
    "TimedDiagnosticCheck",
    "daily_at",
    "diagnostic_checks",
    "end_with_parent",
    "open_container",
]


_ASKED_FOR_S: Final = 60.0  # a model on a busy machine takes half of it


def daily_at(setting: str) -> DailySchedule:
    """The schedule that a setting `HH:MM` means."""
    return DailySchedule(at=time_of_day.fromisoformat(setting))


def networks_of(setting: Sequence[str]) -> tuple[Network, ...]:
    """The networks that a setting names."""
    return tuple(map(ip_network, setting))


def batch_options(settings: WorkerSettings) -> BatchOptions:
    """How batches are made and looked after."""
    return BatchOptions(
        documents=settings.llm_batch_size,
        poll_s=settings.llm_batch_poll_s,
        lease_s=2 * settings.job_lease_s,
        unsure_s=4 * settings.llm_batch_poll_s,
        retry_s=2 * settings.llm_batch_poll_s,
        concurrency=settings.llm_concurrency,
    )


class Container(containers.DeclarativeContainer):
    """Everything that the entrypoints use, by name."""

    if TYPE_CHECKING:
        # Its base says that there is a provider of every name; so a wrong one is found.
        __getattr__ = None  # type: ignore[assignment, misc]

    settings = providers.Dependency(instance_of=DatabaseSettings)
    database = providers.Dependency(instance_of=Database)
    redis = providers.Dependency(instance_of=ArqRedis)

    clock = providers.Singleton(SystemClock)

    # None where no identity provider is configured.
    token_verifier: providers.Dependency[TokenVerifier | None] = providers.Dependency()

    users = providers.Singleton(PostgresUserRepository, database)
    orders = providers.Singleton(PostgresOrderRepository, database)
    open_unit = providers.Singleton(PostgresUnitOfWorkFactory, database)
    user_service = providers.Singleton(
        UserService, users=users, email_syntax=providers.Singleton(EmailValidatorSyntax)
    )
    order_service = providers.Singleton(OrderService, orders=orders)

    api_keys = providers.Singleton(PostgresApiKeyRepository, database)
    audit_log = providers.Singleton(PostgresAuditLog, database)
    key_announcements = providers.Singleton(ValkeyKeyChangePublisher, redis)
    key_service = providers.Singleton(
        KeyService,
        keys=api_keys,
        directory=api_keys,
        announcements=key_announcements,
        clock=clock,
        draw=providers.Object(secrets.randbelow),
    )
    key_changes = providers.Singleton(ValkeyKeyChangeSubscriber, redis)
    key_cache = providers.Singleton(KeyCache, api_keys, monotonic=providers.Object(time.monotonic))
    key_uses = providers.Singleton(KeyUsage, api_keys)
    request_limiter = providers.Singleton(
        SharedRequestLimiter,
        providers.Singleton(ValkeyRequestLimiter, redis),
        providers.Singleton(LocalRequestLimiter),
    )
    caller_limits = providers.Singleton(
        CallerLimits,
        request_limiter,
        providers.Singleton(stated_limits, settings.provided.rate_limits),
    )
    authenticator = providers.Singleton(
        Authenticator,
        keys=key_cache,
        uses=key_uses,
        tokens=token_verifier,
        clock=clock,
        limits=caller_limits,
    )
    session_service = providers.Singleton(
        SessionService,
        sessions=providers.Singleton(ValkeySessionStore, redis),
        authenticator=authenticator,
        clock=clock,
        new_secret=providers.Object(partial(secrets.token_urlsafe, 32)),
    )

    model_spending = providers.Singleton(PostgresModelSpending, database)
    model_budgets = providers.Singleton(
        ModelBudgets, clock=clock, at_once=settings.provided.llm_concurrency
    )

    search_clicks = providers.Singleton(PostgresSearchClickWriter, database)
    click_export = providers.Singleton(PostgresSearchClickExport, database)
    click_imports = providers.Singleton(PostgresClickImportRepository, database)
    click_import_service = providers.Singleton(ClickImportService, imports=click_imports)
    click_encoders = providers.Dict(
        csv=providers.Singleton(CsvClickEncoder),
        ndjson=providers.Singleton(NdjsonClickEncoder),
        parquet=providers.Singleton(ParquetClickEncoder),
    )
    search_analyser = providers.Singleton(PostgresSearchAnalyser, database)
    search_insights = providers.Singleton(PostgresSearchInsightRepository, database)
    insight_service = providers.Singleton(
        InsightService, insights=search_insights, analyser=search_analyser, clock=clock
    )
    scheduled_runs = providers.Singleton(PostgresScheduledRunRepository, database)
    insight_schedule = providers.Singleton(daily_at, settings.provided.insights_at)
    insight_refresher = providers.Singleton(
        InsightRefresher,
        service=insight_service,
        insights=search_insights,
        runs=scheduled_runs,
        schedule=insight_schedule,
        clock=clock,
    )
    click_retention_service = providers.Singleton(
        ClickRetentionService,
        pruner=providers.Singleton(PostgresSearchClickPruner, database, search_insights),
        clock=clock,
    )
    chart_renderer = providers.Dependency(instance_of=VegaChartRenderer)
    sample_service = providers.Singleton(
        SampleFiller, sink=providers.Singleton(PostgresSampleSink, database)
    )

    models: providers.Dependency[Mapping[str, LanguageModel]] = providers.Dependency(
        instance_of=dict
    )
    batch_models: providers.Dependency[Mapping[str, OpenBatchModel]] = providers.Dependency(
        instance_of=dict
    )
    provider_gates = providers.Singleton(
        ValkeyProviderGates, providers.Singleton(model_configs, settings), redis
    )
    record_validator = providers.Singleton(PydanticRecordValidator)
    extractions = providers.Singleton(PostgresExtractionRepository, database)
    extraction_schemas = providers.Singleton(PostgresExtractionSchemaRepository, database)
    schema_registry = providers.Singleton(
        SchemaService, schemas=extraction_schemas, validator=record_validator, models=models
    )
    extraction_service = providers.Singleton(
        ExtractionService,
        models=models,
        chain=settings.provided.llm_provider,
        validator=record_validator,
        prices=providers.Singleton(price_table, settings),
        monotonic=providers.Object(time.monotonic),
        new_mark=providers.Object(partial(secrets.token_hex, 4)),
    )
    single_extraction = providers.Singleton(
        SingleExtraction,
        service=extraction_service,
        schemas=extraction_schemas,
        clock=clock,
        new_id=providers.Object(uuid4),
        deadline_s=settings.provided.interactive_deadline_s,
    )

    extraction_jobs = providers.Singleton(PostgresExtractionJobRepository, database)
    extraction_activity = providers.Singleton(PostgresExtractionActivityReader, database)
    extraction_queue = providers.Singleton(PostgresExtractionQueue, database)
    extraction_job_service = providers.Singleton(
        ExtractionJobService,
        jobs=extraction_jobs,
        open_unit=open_unit,
        schemas=extraction_schemas,
        extraction=extraction_service,
        wakeup=providers.Singleton(ArqWorkerWakeup, redis),
        batch_providers=batch_models,
    )
    result_formats = providers.Dict(
        ndjson=providers.Singleton(NdjsonFormat),
        csv=providers.Singleton(CsvFormat),
        parquet=providers.Singleton(ParquetFormat),
    )
    comparisons = providers.Singleton(PostgresComparisonRepository, database)
    comparison_jobs = providers.Singleton(
        StoredComparisonService,
        comparisons=comparisons,
        jobs=extraction_jobs,
        job_service=extraction_job_service,
        schemas=extraction_schemas,
        extraction=extraction_service,
        models=models,
        statistics=providers.Singleton(ScipyStatistics),
        is_stand_in=providers.Singleton(stand_in_probe, settings),
        concurrency=settings.provided.llm_concurrency,
        now=providers.Object(time.monotonic),
        program=providers.Object(version("storekeeper")),
    )
    comparison_writers = providers.Singleton(comparison_writers, chart_renderer)
    retry_policy = providers.Singleton(RetryPolicy)
    extraction_cache = providers.Singleton(PostgresExtractionCache, database)
    document_reader = providers.Singleton(
        DocumentExtractor,
        extraction=extraction_service,
        schemas=extraction_schemas,
        clock=clock,
        new_id=providers.Object(uuid4),
        chance=providers.Object(random.random),
        retry_policy=retry_policy,
        deadline_s=providers.Singleton(document_deadline_s, settings.provided.llm_timeout_s),
    )
    extraction_worker = providers.Singleton(
        ExtractionWorker,
        queue=extraction_queue,
        cache=extraction_cache,
        reader=document_reader,
        new_id=providers.Object(uuid4),
        host=providers.Singleton(socket.gethostname),
        options=providers.Singleton(
            WorkerOptions,
            concurrency=settings.provided.llm_concurrency,
            lease_s=settings.provided.job_lease_s,
        ),
    )

    provider_batches = providers.Singleton(PostgresProviderBatches, database)
    batch_options = providers.Singleton(batch_options, settings)
    batch_worker = providers.Singleton(
        BatchWorker,
        batches=provider_batches,
        processor=providers.Singleton(
            BatchProcessor,
            batches=provider_batches,
            queue=extraction_queue,
            cache=extraction_cache,
            extraction=extraction_service,
            reader=document_reader,
            models=batch_models,
            retry_policy=retry_policy,
            chance=providers.Object(random.random),
            options=batch_options,
        ),
        new_id=providers.Object(uuid4),
        options=batch_options,
    )

    webhook_endpoints = providers.Singleton(PostgresWebhookEndpointRepository, database)
    webhook_deliveries = providers.Singleton(PostgresWebhookDeliveryRepository, database)
    webhook_networks = providers.Singleton(networks_of, settings.provided.webhook_allowed_networks)
    webhook_service = providers.Singleton(
        WebhookService,
        endpoints=webhook_endpoints,
        deliveries=webhook_deliveries,
        clock=clock,
        random_bytes=providers.Object(secrets.token_bytes),
        allowed_networks=webhook_networks,
    )
    webhook_worker = providers.Singleton(
        WebhookWorker,
        queue=providers.Singleton(PostgresWebhookDeliveryQueue, database),
        sender=providers.Singleton(HttpWebhookSender, webhook_networks),
        clock=clock,
        chance=providers.Object(random.random),
    )

    checks = providers.Dict(
        database=providers.Singleton(PostgresReadiness, database),
        queue=providers.Singleton(QueueReadiness, redis),
    )


def pool_options(settings: DatabaseSettings) -> PoolOptions:
    """How database connections are made and held."""
    return PoolOptions(
        size=settings.database_pool_size,
        acquire_timeout_s=settings.database_acquire_timeout_s,
        statement_timeout_s=settings.database_statement_timeout_s,
        transaction_pooler=settings.database_pooler == "transaction",
    )


def token_rules(settings: TokenSettings) -> IdentityTokenRules:
    """Whose tokens are accepted, of settings that name an identity provider."""
    issuer, audience = settings.jwt_issuer, settings.jwt_audience
    claim = settings.jwt_scope_claim
    # JWT_JWKS_URL is refused without them.
    assert issuer is not None
    assert audience is not None
    assert claim is not None
    meanings = None if settings.jwt_scopes is None else read_meanings(settings.jwt_scopes)
    return IdentityTokenRules(
        issuer=issuer,
        audience=audience,
        scope_claim=ScopeClaim(name=claim, meanings=meanings),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedDiagnosticCheck:
    """A close look at one part, with the time that it may take."""

    subject: str
    check: DiagnosticCheck
    longest_s: float = 10.0


def diagnostic_checks(settings: Settings, container: Container) -> Sequence[TimedDiagnosticCheck]:
    """A close look at each part that the settings name."""
    url = settings.database_url.get_secret_value()
    found = [
        TimedDiagnosticCheck(
            subject="database",
            check=PostgresDiagnosticCheck(
                url,
                pool_options(settings),
                processes=settings.workers + 1,  # and one worker of jobs
                size_limit_mb=settings.database_size_limit_mb,
            ),
        ),
        TimedDiagnosticCheck(subject="queue", check=QueueDiagnosticCheck(container.redis())),
        TimedDiagnosticCheck(
            subject="search insights",
            check=InsightDiagnosticCheck(container.insight_refresher()),
        ),
    ]
    if settings.jwt_jwks_url is not None:
        found.append(
            TimedDiagnosticCheck(
                subject="token keys", check=JwksDiagnosticCheck(settings.jwt_jwks_url)
            )
        )
    for config in model_configs(settings):
        if config.provider in settings.llm_provider:
            # One call, outside of what callers share: the answer is this moment's.
            opened = open_bare_model(config, _ASKED_FOR_S, 1, ReportedRateLimits())
            found.append(
                TimedDiagnosticCheck(
                    subject=f"provider {config.provider}",
                    check=LanguageModelDiagnosticCheck(
                        config.provider,
                        opened,
                        base_url=config.base_url,
                        served=ServedModels(config.base_url, config.api_key)
                        if config.provider == Provider.OPENAI_COMPATIBLE
                        else None,
                    ),
                    longest_s=_ASKED_FOR_S + 30,
                )
            )
    if settings.tls_cert_file and settings.tls_key_file:
        pair = settings.tls_cert_file, settings.tls_key_file
        found.append(
            TimedDiagnosticCheck(
                subject="certificate",
                check=CertificateDiagnosticCheck(*pair, container.clock()),
            )
        )
    return found


@asynccontextmanager
async def open_container(settings: DatabaseSettings) -> AsyncIterator[Container]:
    """The container over real parts, for as long as the block runs.

    It holds what `settings` name: those of a command that uses the database alone open nothing
    else, and what needs more is not to be had from it. Nothing is connected yet: a process starts
    while its stores are down, and says so by its readiness.
    """
    async with AsyncExitStack() as stack:
        opened: dict[str, Any] = {"settings": settings}
        opened["database"] = await stack.enter_async_context(
            open_database(settings.database_url.get_secret_value(), pool_options(settings))
        )
        if isinstance(settings, ConnectionSettings):
            connections: ConnectionPool = ConnectionPool.from_url(
                settings.redis_url.get_secret_value()
            )
            opened["redis"] = ArqRedis(
                connections, job_serializer=encode_job, job_deserializer=decode_job
            )
            stack.push_async_callback(connections.disconnect)
        if isinstance(settings, ModelCommandSettings):
            opened["models"] = await stack.enter_async_context(
                open_language_models(
                    model_configs(settings),
                    call_timeout_s=settings.llm_timeout_s,
                    concurrency=settings.llm_concurrency,
                    valkey=opened.get("redis"),
                )
            )
            opened["batch_models"] = await stack.enter_async_context(
                open_batch_models(model_configs(settings), call_timeout_s=settings.llm_timeout_s)
            )
        if isinstance(settings, TokenSettings):
            opened["token_verifier"] = await stack.enter_async_context(
                nullcontext()
                if settings.jwt_jwks_url is None
                else open_jwt_verifier(settings.jwt_jwks_url, token_rules(settings), SystemClock())
            )
        opened["chart_renderer"] = await stack.enter_async_context(open_chart_renderer())
        yield Container(**opened)
