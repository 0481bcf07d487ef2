"""The tables for SQLAlchemy Core; `sql/` is the truth, and a test holds both together."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
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
Index("users_email_lower_key", func.lower(users.c.email), unique=True)

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
