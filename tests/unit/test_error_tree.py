from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Iterator

import pytest

from domain import errors
from domain.errors import AppError, InvalidInput, Unavailable, Violation


def tree(root: type[AppError]) -> Iterator[type[AppError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


def drawn() -> list[tuple[int, str]]:
    """Depth and name of each line of the tree that the module's docstring draws."""
    found = re.findall(r"^([│├└─ ]*)([A-Z]\w+)(?= {2,}|$)", errors.__doc__ or "", re.MULTILINE)
    return [(len(indent) // 4, name) for indent, name in found]


def real(root: type[AppError], depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, root.__name__
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from real(child, depth + 1)


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    assert set(drawn()) == set(real(AppError))
    assert len(drawn()) == len(set(drawn()))


def test_every_error_has_a_code_of_its_own_and_a_docstring() -> None:
    codes = [error.code for error in tree(AppError)]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)
    assert all(inspect.getdoc(error) for error in tree(AppError))


@pytest.mark.parametrize(("count", "message"), [(1, "1 field is"), (3, "3 fields are")])
def test_one_error_stands_for_all_violations(count: int, message: str) -> None:
    violations = [Violation(pointer=f"/{n}", detail="is missing") for n in range(count)]
    error = InvalidInput.of(violations)
    assert str(error) == f"{message} invalid."
    assert error.violations == tuple(violations)


def test_violations_are_fixed_once_the_error_is_made() -> None:
    violations = [Violation(pointer="/name", detail="is missing")]
    error = InvalidInput("no", violations=violations)
    violations.clear()
    assert len(error.violations) == 1
    assert InvalidInput("no").violations == ()


def test_when_to_try_again_is_known_or_not() -> None:
    assert Unavailable("down").retry_after_s is None
    assert Unavailable("down", retry_after_s=2.5).retry_after_s == 2.5


@pytest.mark.parametrize("error", list(tree(AppError)))
def test_every_error_can_be_made_from_its_message(error: type[AppError]) -> None:
    assert str(pickle.loads(pickle.dumps(error("why")))) == "why"  # noqa: S301
