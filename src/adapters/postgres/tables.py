"""The tables for SQLAlchemy Core; `sql/` is the truth, and a test holds both together."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

# The names that PostgreSQL gives by default.
metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("email", String(255), nullable=False, unique=True),
    Column("created_at", DateTime, server_default=func.current_timestamp()),
    Column("version", Integer, nullable=False, server_default=text("1")),
)
Index("users_mailbox_key", func.mailbox(users.c.email), unique=True)

orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id")),
    Column("product_name", String(255), nullable=False),
    Column("quantity", Integer, CheckConstraint("quantity > 0", name="orders_quantity_check")),
    Column("order_date", DateTime, server_default=func.current_timestamp()),
    Column("version", Integer, nullable=False, server_default=text("1")),
)
Index("orders_user_id_idx", orders.c.user_id, orders.c.id.desc())
Index("orders_order_date_idx", orders.c.order_date)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("locked_until", DateTime(timezone=True)),
    Column("status", Integer),
    Column("headers", JSONB),
    Column("body", LargeBinary),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.current_timestamp(),
    ),
    CheckConstraint("(status IS NULL) = (body IS NULL)", name="idempotency_keys_answer_check"),
)
Index("idempotency_keys_created_at_idx", idempotency_keys.c.created_at)

search_clicks = Table(
    "search_clicks",
    metadata,
    Column("search_id", Integer, primary_key=True),
    Column("search_query", String(255)),
    Column("clicks", Integer, server_default=text("0")),
    Column("impressions", Integer, server_default=text("0")),
    Column("click_through_rate", Double),
    Column("search_date", Date, server_default=func.current_date()),
    Column(
        "query_norm",
        Text,
        Computed(
            "btrim(regexp_replace("
            "normalize(lower(normalize(search_query, NFKC) COLLATE unicode_case), NFKC),"
            " '[ \\t\\n\\v\\f\\r\\u0085\\u1680\\u2028\\u2029]+', ' ', 'g'), ' ')",
            persisted=True,
        ),
    ),
)
Index("search_clicks_search_date_idx", search_clicks.c.search_date)

click_imports = Table(
    "click_imports",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("options", Text, nullable=False),
    *(
        Column(name, BigInteger, nullable=False, server_default=text("0"))
        for name in ("file_offset", "line", "accepted", "rejected", "rejects_bytes")
    ),
    *(
        Column(
            name,
            DateTime(timezone=True),
            nullable=False,
            server_default=func.current_timestamp(),
        )
        for name in ("started_at", "moved_at")
    ),
    Column("finished_at", DateTime(timezone=True)),
)
Index(
    "click_imports_open_key",
    click_imports.c.fingerprint,
    unique=True,
    postgresql_where=click_imports.c.finished_at.is_(None),
)
Index("click_imports_fingerprint_idx", click_imports.c.fingerprint, click_imports.c.id.desc())

search_insights = Table(
    "search_insights",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("insight_date", Date),
    Column("average_ctr", Double),
    Column("top_queries", JSONB),
    Column("low_performance_queries", JSONB),
    Column("overall_ctr", Double),
    Column("clicks", BigInteger),
    Column("impressions", BigInteger),
    Column("source_rows", BigInteger),
    Column("definition_version", Integer),
    Column("computed_at", DateTime(timezone=True)),
    Column("distinct_queries", BigInteger),
    Column("blank_rows", BigInteger),
    Column("impossible_rows", BigInteger),
    Column("contradicting_rows", BigInteger),
)
Index("search_insights_insight_date_key", search_insights.c.insight_date, unique=True)

search_query_days = Table(
    "search_query_days",
    metadata,
    Column("search_date", Date, primary_key=True),
    Column("query_norm", Text(collation="C"), primary_key=True),
    Column("searches", BigInteger, nullable=False),
    Column("clicks", BigInteger, nullable=False),
    Column("impressions", BigInteger, nullable=False),
    Column("ctr_sum", Numeric, nullable=False),
)

search_days = Table(
    "search_days",
    metadata,
    Column("search_date", Date, primary_key=True),
    Column("source_rows", BigInteger, nullable=False),
    Column("rated_rows", BigInteger, nullable=False),
    Column("distinct_queries", BigInteger, nullable=False),
    Column("clicks", BigInteger, nullable=False),
    Column("impressions", BigInteger, nullable=False),
    Column("ctr_sum", Numeric, nullable=False),
    Column("blank_rows", BigInteger, nullable=False),
    Column("impossible_rows", BigInteger, nullable=False),
    Column("contradicting_rows", BigInteger, nullable=False),
)

search_changed_days = Table(
    "search_changed_days", metadata, Column("search_date", Date, nullable=False)
)
Index("search_changed_days_search_date_idx", search_changed_days.c.search_date)

search_pruned_days = Table(
    "search_pruned_days",
    metadata,
    Column("search_date", Date, primary_key=True),
    Column("query_norm", ARRAY(Text(collation="C")), nullable=False),
    Column("searches", ARRAY(BigInteger), nullable=False),
    Column("rated", ARRAY(BigInteger), nullable=False),
    Column("clicks", ARRAY(BigInteger), nullable=False),
    Column("impressions", ARRAY(BigInteger), nullable=False),
    Column("ctr_sum", ARRAY(Numeric), nullable=False),
    Column("blank", ARRAY(BigInteger), nullable=False),
    Column("impossible", ARRAY(BigInteger), nullable=False),
    Column("contradicting", ARRAY(BigInteger), nullable=False),
)

extraction_schemas = Table(
    "extraction_schemas",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("definition", JSONB, nullable=False),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.current_timestamp(),
    ),
)

extractions = Table(
    "extractions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("text", Text, nullable=False),
    Column("schema_name", Text, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("fields", JSONB, nullable=False),
    Column("evidence", JSONB, nullable=False),
    Column("warnings", JSONB, nullable=False),
    Column("failure", JSONB),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("attempts", JSONB, nullable=False),
    Column("fallbacks", JSONB, nullable=False),
    Column("prompt_hash", Text, nullable=False),
    Column("latency_s", Double, nullable=False),
    Column("cost_usd", Numeric(24, 9)),
    ForeignKeyConstraint(
        ["schema_name", "schema_version"],
        ["extraction_schemas.name", "extraction_schemas.version"],
        name="extractions_schema_fkey",
    ),
    CheckConstraint(
        "status IN ('valid', 'partial', 'refused', 'failed')", name="extractions_status_check"
    ),
    CheckConstraint(
        "(failure IS NULL) = (status IN ('valid', 'partial'))", name="extractions_failure_check"
    ),
)
Index("extractions_schema_idx", extractions.c.schema_name, extractions.c.schema_version)
Index("extractions_created_at_idx", extractions.c.created_at)
Index(
    "extractions_known_idx",
    func.hashtextextended(extractions.c.text, text("0")),
    extractions.c.prompt_hash,
    postgresql_where=text("status IN ('valid', 'partial')"),
)

extraction_jobs = Table(
    "extraction_jobs",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("status", Text, nullable=False, server_default=text("'running'")),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("schema_name", Text, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("providers", ARRAY(Text), nullable=False),
    Column("reuse", Boolean, nullable=False),
    Column("max_cost_usd", Numeric(24, 9)),
    Column("max_tokens", BigInteger),
    *(
        Column(name, Integer, nullable=False, server_default=text("0"))
        for name in ("total", "valid", "partial", "refused", "failed", "reused")
    ),
    *(
        Column(name, BigInteger, nullable=False, server_default=text("0"))
        for name in ("calls", "input_tokens", "cached_tokens", "output_tokens")
    ),
    Column("cost_usd", Numeric(24, 9), nullable=False, server_default=text("0")),
    Column("unpriced_calls", BigInteger, nullable=False, server_default=text("0")),
    Column("waits_until", DateTime(timezone=True)),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.current_timestamp(),
    ),
    Column("finished_at", DateTime(timezone=True)),
    Column("mode", Text, nullable=False, server_default=text("'direct'")),
    ForeignKeyConstraint(
        ["schema_name", "schema_version"],
        ["extraction_schemas.name", "extraction_schemas.version"],
        name="extraction_jobs_schema_fkey",
    ),
    CheckConstraint(
        "status IN ('running', 'paused', 'failed', 'cancelled', 'completed')",
        name="extraction_jobs_status_check",
    ),
    CheckConstraint(
        "(reason IS NULL) = (reason_code IS NULL)", name="extraction_jobs_reason_check"
    ),
    CheckConstraint(
        "valid + partial + refused + failed <= total", name="extraction_jobs_done_check"
    ),
    CheckConstraint("mode IN ('direct', 'batch')", name="extraction_jobs_mode_check"),
    postgresql_with={"fillfactor": 50},
)
Index(
    "extraction_jobs_running_idx",
    extraction_jobs.c.id,
    postgresql_where=extraction_jobs.c.status == text("'running'"),
)

extraction_workers = Table(
    "extraction_workers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("host", Text, nullable=False),
    Column(
        "started_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.current_timestamp(),
    ),
    Column("leased_until", DateTime(timezone=True), nullable=False),
)

extraction_job_items = Table(
    "extraction_job_items",
    metadata,
    Column("job_id", ForeignKey("extraction_jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("document_id", Text),
    Column("text", Text),
    Column("state", Text, nullable=False, server_default=text("'pending'")),
    Column("claim", Integer, nullable=False, server_default=text("0")),
    Column("worker_id", Uuid),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", DateTime(timezone=True)),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("extraction_id", ForeignKey("extractions.id")),
    Column("reused", Boolean, nullable=False, server_default=text("false")),
    Column("finished_at", DateTime(timezone=True)),
    CheckConstraint(
        "state IN ('pending', 'running', 'valid', 'partial', 'refused', 'failed')",
        name="extraction_job_items_state_check",
    ),
    CheckConstraint(
        "(state = 'running') = (worker_id IS NOT NULL)", name="extraction_job_items_worker_check"
    ),
    CheckConstraint(
        "text IS NOT NULL OR extraction_id IS NOT NULL", name="extraction_job_items_text_check"
    ),
    postgresql_with={"toast_tuple_target": 128},
)
Index(
    "extraction_job_items_pending_idx",
    extraction_job_items.c.job_id,
    extraction_job_items.c.position,
    postgresql_where=extraction_job_items.c.state == text("'pending'"),
)
Index(
    "extraction_job_items_running_idx",
    extraction_job_items.c.job_id,
    postgresql_where=extraction_job_items.c.state == text("'running'"),
)
Index(
    "extraction_job_items_finished_idx",
    extraction_job_items.c.job_id,
    extraction_job_items.c.finished_at,
    postgresql_where=extraction_job_items.c.finished_at.is_not(None),
)
Index(
    "extraction_job_items_extraction_idx",
    extraction_job_items.c.extraction_id,
    postgresql_where=extraction_job_items.c.extraction_id.is_not(None),
)

extraction_reservations = Table(
    "extraction_reservations",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("worker_id", ForeignKey("extraction_workers.id", ondelete="CASCADE"), nullable=False),
)
Index("extraction_reservations_worker_id_idx", extraction_reservations.c.worker_id)

provider_batches = Table(
    "provider_batches",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_id", ForeignKey("extraction_jobs.id", ondelete="CASCADE"), nullable=False),
    Column("provider", Text, nullable=False),
    Column("provider_id", Text),
    Column("prompt_hash", Text),
    Column("unsure_since", DateTime(timezone=True)),
    Column("turn", Integer, nullable=False, server_default=text("1")),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column(
        "opened_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.current_timestamp(),
    ),
    Column("closed_at", DateTime(timezone=True)),
)
Index("provider_batches_job_id_idx", provider_batches.c.job_id)
Index(
    "provider_batches_due_at_idx",
    provider_batches.c.due_at,
    postgresql_where=provider_batches.c.closed_at.is_(None),
)

comparisons = Table(
    "comparisons",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("schema_name", Text, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("contestants", JSONB, nullable=False),
    Column("texts", JSONB, nullable=False),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.current_timestamp(),
    ),
    ForeignKeyConstraint(
        ["schema_name", "schema_version"],
        ["extraction_schemas.name", "extraction_schemas.version"],
        name="comparisons_schema_fkey",
    ),
)

comparison_jobs = Table(
    "comparison_jobs",
    metadata,
    Column("comparison_id", ForeignKey("comparisons.id", ondelete="CASCADE"), primary_key=True),
    Column("contestant", Text, primary_key=True),
    Column("repeat", Integer, primary_key=True, autoincrement=False),
    Column("job_id", ForeignKey("extraction_jobs.id"), nullable=False),
)
Index("comparison_jobs_job_id_idx", comparison_jobs.c.job_id)

scheduled_runs = Table(
    "scheduled_runs",
    metadata,
    Column("task", Text, primary_key=True),
    Column(
        "outcome",
        Text,
        CheckConstraint(
            "outcome IN ('done', 'partly_failed', 'failed')", name="scheduled_runs_outcome_check"
        ),
        primary_key=True,
    ),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=False),
    Column("error", Text),
    Column("runs", BigInteger, nullable=False),
)
