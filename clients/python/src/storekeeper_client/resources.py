"""How one description of a request serves both clients.

A method of a resource says what is asked for and sends nothing. Its decorator gives it to the
resource's driver: what `Client` does and returns, `AsyncClient` does and has awaited.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from storekeeper_client.calls import Call, Page, Steps
from storekeeper_client.drivers import AsyncDriver, SyncDriver

P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D", bound=SyncDriver | AsyncDriver)


class Resource(Generic[D]):
    """A part of the API, asked through a driver."""

    def __init__(self, driver: D) -> None:
        self._driver = driver


class Operation(Generic[P, T]):
    """A method that describes one value: a call, or calls that follow one another."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[T] | Steps[T]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: Resource[SyncDriver], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncDriver], owner: type
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, resource: Any, owner: type) -> Any:
        return self if resource is None else _bound(self.describe, resource, "run")


class Listing(Generic[P, T]):
    """A method that describes a list, which is gone through row by row."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[Page[T]]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: Resource[SyncDriver], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncDriver], owner: type
    ) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, resource: Any, owner: type) -> Any:
        return self if resource is None else _bound(self.describe, resource, "rows")


class Download(Generic[P]):
    """A method that describes a file, which comes in pieces.

    Who stops before the end closes what gives them (`contextlib.closing`, `aclosing`), and with it
    the connection.
    """

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[None]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(
        self, resource: Resource[SyncDriver], owner: type
    ) -> Callable[P, Generator[bytes, None, None]]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncDriver], owner: type
    ) -> Callable[P, AsyncGenerator[bytes, None]]: ...
    def __get__(self, resource: Any, owner: type) -> Any:
        return self if resource is None else _bound(self.describe, resource, "pieces")


def _bound(describe: Callable[..., Any], resource: Resource[Any], verb: str) -> Callable[..., Any]:
    @wraps(describe)
    def carried_out(*args: Any, **kwargs: Any) -> Any:
        return getattr(resource._driver, verb)(describe(resource, *args, **kwargs))  # noqa: SLF001

    return carried_out
