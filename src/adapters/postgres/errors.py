"""PostgreSQL's and asyncpg's errors in the application's terms: the one place that knows both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import asyncpg

from domain.errors import (
    AppError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DatabaseUnfit,
    StatementTimedOut,
    WriteConflict,
)

RETRYABLE = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""The server undid the transaction; the same statements may succeed when run again."""

_DOWN = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.exceptions.ConnectionRejectionError,
)
_UNFIT = (
    asyncpg.SyntaxOrAccessError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.NotNullViolationError,
    asyncpg.SequenceGeneratorLimitExceededError,
)
_STATEMENT_IS_LOST = (
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
)
"""What a pooler in transaction mode makes of prepared statements."""
_POOLER_IS_FULL = "MAXCONN"  # Supavisor answers XX000 with (EMAXCONN...) or (EMAXCONNSESSION)
# What an InterfaceError says of a connection that is closed, or that breaks between two messages of
# one statement or while it idles in the pool. "Another operation is in progress" stands for two
# coroutines on one connection as well, and there are none: a connection belongs to one block. The
# pool takes one back by itself that dies between two statements of that block.
_CONNECTION_DIED = ("closed", "closing", "another operation", "released back to the pool")

SAY_POOLER = "add pooler=transaction to DATABASE_URL"
_POOLED = (
    "A pooler in transaction mode stands before the database, and prepared statements are lost"
    f" there: {SAY_POOLER}."
)
_NOT_AS_NEEDED = (
    "The database is not as this version needs it: run `storekeeper db migrate`, and"
    " `storekeeper doctor` names what is left to mend."
)

CONNECTION_FAULTS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""All that a call over a connection that breaks may raise (`TimeoutError` is an `OSError`)."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the driver raises inside as the application's own error.

    Violated constraints pass through untouched: `on_constraint` names those that a use case
    expects, any other is a defect.

    Raises:
        DatabaseReadOnly: the server takes no writes (standby, or a full disk quota).
        StatementTimedOut: the statement timeout struck.
        WriteConflict: serialization failed or a deadlock struck, after the caller's retries; or
            a lock was not free in the time that the transaction gives it.
        DatabaseUnavailable: the server is down, starting, or has no connection left.
        DatabaseUnfit: a table, column or function is not there or is another, the role may not do
            it, a column that is not ours wants a value, or a sequence is used up; or a pooler of
            which nothing was said stands between.
    """
    try:
        yield
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise DatabaseReadOnly("The database takes no writes now.", retry_after_s=30) from error
    except (TimeoutError, asyncpg.QueryCanceledError) as error:
        raise StatementTimedOut("The database did not finish in time.") from error
    except (*_STATEMENT_IS_LOST, *_UNFIT) as error:
        message = _POOLED if isinstance(error, _STATEMENT_IS_LOST) else _NOT_AS_NEEDED
        raise DatabaseUnfit(message, retry_after_s=60) from error
    except (*RETRYABLE, asyncpg.LockNotAvailableError) as error:
        raise WriteConflict("Too many changes to the same rows.", retry_after_s=1) from error
    except _DOWN as error:
        raise cannot_be_reached() from error
    except asyncpg.InternalServerError as error:
        if _POOLER_IS_FULL not in str(error):
            raise
        raise cannot_be_reached() from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if not connection_died(error):
            raise
        raise cannot_be_reached() from error


def connection_died(error: Exception) -> bool:
    """Whether the driver says by `error` that its connection is of no more use.

    It raises the same classes when its API is misused, which is a defect of ours.
    """
    return isinstance(error, asyncpg.InternalClientError) or any(
        words in str(error) for words in _CONNECTION_DIED
    )


@contextmanager
def on_constraint(errors: Mapping[str, Callable[[], AppError]]) -> Iterator[None]:
    """Raise the error that stands for a violated constraint, by the constraint's name."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        make = errors.get(error.constraint_name or "")
        if make is None:
            raise
        raise make() from error


def cannot_be_reached() -> DatabaseUnavailable:
    """The server did not answer, or not as to one who may come in."""
    return DatabaseUnavailable("The database cannot be reached.", retry_after_s=5)
