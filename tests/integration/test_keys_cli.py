"""`storekeeper keys` and `storekeeper audit` over PostgreSQL and Valkey."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from domain.access.keys import KEY_PATTERN, key_digest
from entrypoints.cli.main import storekeeper
from tests.integration.stack import COMMAND, environment

Run = Callable[..., Result]

CREATE = ("keys", "create", "--name", "till", "--scopes", "records:write")


@pytest.fixture
def run(fresh_database_url: str, redis_url: str) -> Run:
    def invoke(*arguments: str, input: str | None = None, **more: str) -> Result:  # noqa: A002
        environment = {"DATABASE_URL": fresh_database_url, "REDIS_URL": redis_url, **more}
        return CliRunner().invoke(storekeeper, arguments, env=environment, input=input)

    return invoke


def made(run: Run, *more: str) -> str:
    result = run(*CREATE, *more)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_a_new_key_stands_alone_on_stdout_and_nowhere_else(run: Run) -> None:
    result = run("keys", "create", "--name", "till", "--scopes", "extract, records:read")
    assert result.exit_code == 0
    secret = result.stdout.removesuffix("\n")
    assert len(key_digest(secret)) == 32
    assert "Key 1 (till) is made. It expires at " in result.stderr
    assert secret not in result.stderr
    for shown in (("keys", "list"), ("keys", "show", "1"), ("audit",), ("keys", "list", "--json")):
        output = run(*shown).output
        assert secret not in output
        assert secret[9:46] not in output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("form", ["", "--json"])
def test_a_key_that_nobody_got_is_named_so_that_it_can_be_revoked(
    fresh_database_url: str, redis_url: str, tmp_path: Path, form: str
) -> None:
    told = subprocess.run(
        ["sh", "-c", f'exec "$@" {form} >/dev/full', "sh", *COMMAND, *CREATE],
        check=False,
        cwd=tmp_path,
        env=environment(DATABASE_URL=fresh_database_url, REDIS_URL=redis_url),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert told.returncode == 74
    made, fault = told.stderr.splitlines()
    assert made.startswith("Key 1 (till) is made.")
    assert "cannot be written" in fault


def test_a_key_has_what_it_was_given(run: Run) -> None:
    result = run(
        *("keys", "create", "--name", "Kasse Süd", "--scopes", "records:write,extract"),
        *("--networks", "10.0.0.0/8,2001:db8::/32", "--networks", "192.0.2.1"),
        *("--budget-usd", "2.50", "--budget-tokens", "1000", "--rate", "60"),
        *("--env", "test", "--expires", "never", "--json"),
    )
    document = json.loads(result.stdout)
    assert document["key"].startswith("stk_test_")
    assert document["networks"] == ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"]
    assert document["budget"] == {"usd": 2.5, "tokens": 1000}
    assert (document["requests_per_minute"], document["expires_at"]) == (60, None)
    assert document["created_by"].startswith("command:")
    shown = json.loads(run("keys", "show", "1", "--json").stdout)
    spent = shown.pop("spent_today")
    assert spent == {"usd": 0, "tokens": 0, "unpriced_calls": 0}
    assert {**shown, "key": document["key"]} == document
    assert "Kasse Süd" in run("keys", "list").stdout
    assert "budget               usd 2.5, tokens 1000" in run("keys", "show", "1").stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scopes", "record:write"], "did you mean records:write?"),
        (["--scopes", ","], "names no scope; known are records:read"),
        (["--scopes", "admin", "--networks", "10.0.0.5/24"], "write 10.0.0.0/24 for all"),
        (["--scopes", "admin", "--networks", "everywhere"], "'everywhere' is no network"),
        (["--scopes", "admin", "--expires", "tomorrow"], "'tomorrow' is no time: write 30d"),
        (["--scopes", "admin", "--expires", "2026-02-30"], "'2026-02-30' is no time"),
        (["--scopes", "admin", "--expires", "400d"], "expires_at must be within 366 days"),
        (["--scopes", "admin", "--expires", "2020-01-01"], "expires_at must be in the future"),
        (["--scopes", "admin", "--budget-usd", "nan"], "'nan' is no amount"),
        (["--scopes", "admin", "--budget-usd", "-1"], "'-1' is no amount"),
        (["--scopes", "admin", "--budget-tokens", "-1"], "-1 is not in the range"),
        (["--scopes", "admin", "--rate", "0"], "0 is not in the range"),
        (["--scopes", "admin", "--env", "prod"], "'prod' is not one of"),
        (["--scopes", "admin", "--name", " "], "name must not be blank"),
        (["--scopes", "admin", "--name", "a\x1b[2Jb"], "name must not hold control"),
    ],
)
def test_what_a_key_cannot_have_is_named_and_none_is_made(
    run: Run, options: list[str], message: str
) -> None:
    result = run("keys", "create", "--name", "till", *options)
    assert result.exit_code in {1, 2}
    assert message in result.stderr
    assert result.stdout == ""
    assert run("keys", "list").stdout == ""


def test_a_rotated_key_has_all_but_the_secret_and_the_old_one_lives_on_for_a_time(
    run: Run,
) -> None:
    old = made(run)
    result = run("keys", "rotate", "1")
    assert result.exit_code == 0
    assert result.stdout.strip() != old
    assert "made in the place of key 1, which is accepted for 24 h more" in result.stderr
    listed = json.loads(run("keys", "list", "--json").stdout)["keys"]
    assert [(key["id"], key["state"], key["replaced_by"]) for key in listed] == [
        (2, "active", None),
        (1, "replaced", 2),
    ]
    again = run("keys", "rotate", "1")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "Key 1 was replaced by key 2: rotate that one." in again.stderr
    assert "is refused now" in run("keys", "rotate", "2", "--overlap", "0").stderr
    assert "'31d' is none: write 24h" in run("keys", "rotate", "3", "--overlap", "31d").stderr
    assert "There is no key 9." in run("keys", "rotate", "9").stderr


def test_a_budget_is_changed_for_a_key_and_for_those_it_replaced(run: Run) -> None:
    made(run, "--budget-usd", "2.50", "--budget-tokens", "1000")
    run("keys", "rotate", "1")
    made(run)
    result = run("keys", "update", "2", "--budget-usd", "5", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["budget"] == {"usd": 5, "tokens": 1000}
    told = run("keys", "update", "1", "--budget-tokens", "none").stdout
    assert "budget               usd 5.0\n" in told
    listed = json.loads(run("keys", "list", "--json").stdout)["keys"]
    budgets = {key["id"]: key["budget"] for key in listed}
    assert budgets[1] == budgets[2] == {"usd": 5, "tokens": None}
    assert budgets[3] == {"usd": None, "tokens": None}
    changed = run("audit", "--action", "key.change").stdout.splitlines()
    assert len(changed) == 4
    assert all("[budget]" in line for line in changed)
    assert "give --budget-usd" in run("keys", "update", "1").stderr
    assert "There is no key 9." in run("keys", "update", "9", "--budget-usd", "1").stderr
    for bad in ("-1", "1e3", "many", str(10**15 + 1)):
        assert "is none: write 0.." in run("keys", "update", "1", "--budget-tokens", bad).stderr


def test_a_key_is_revoked_by_its_id_as_often_as_one_likes(run: Run) -> None:
    made(run)
    first, second = run("keys", "revoke", "1"), run("keys", "revoke", "1")
    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout
    assert "Key 1 (till, ..." in first.stdout
    assert "Key 1 is revoked: create a new key." in run("keys", "rotate", "1").stderr


@pytest.mark.parametrize(
    "around", ["{}", "{}\r\n", "\ufeffSTOREKEEPER_KEY='{}'\n", "Authorization: Bearer {}, {}\n"]
)
def test_a_key_is_revoked_by_its_own_text_in_a_file_or_a_pipe(
    run: Run, tmp_path: Path, around: str
) -> None:
    for _ in range(2):
        made(run)
    text = around.format(*[made(run)] * 2)
    file = tmp_path / "leaked.txt"
    file.write_text(text, newline="")
    assert "Key 3 (till" in run("keys", "revoke", "--token-from", str(file)).stdout
    assert "Key 3 (till" in run("keys", "revoke", "--token-from", "-", input=text).stdout


def test_a_text_that_holds_no_key_or_several_revokes_none(run: Run) -> None:
    first, second = made(run), made(run)
    foreign = made(run)[:-1] + "_"
    wrong = first[:-1] + ("a" if first[-1] != "a" else "b")
    for text, message in (
        ("", "holds no key"),
        (f"x{foreign}", "holds no key"),
        (f"{first}\n{second}\n", "holds 2 keys"),
        (wrong, "last characters do not fit"),
        ("stk_live_" + "0" * 37 + "3PCaoa", "do not fit"),
    ):
        result = run("keys", "revoke", "--token-from", "-", input=text)
        assert result.exit_code in {1, 2}
        assert message in result.stderr
    assert "revoked" not in run("keys", "list").stdout
    assert "give an ID, or --token-from FILE" in run("keys", "revoke").stderr


def test_the_last_key_of_an_admin_may_be_revoked_and_that_is_told(run: Run) -> None:
    made(run)
    run("keys", "create", "--name", "boss", "--scopes", "admin")
    assert "No key with the scope admin is left" in run("keys", "revoke", "2").stderr
    assert "scope admin" not in run("keys", "revoke", "1").stderr


def test_without_valkey_keys_are_made_and_the_delay_is_told(run: Run) -> None:
    result = run(
        *("keys", "create", "--name", "till", "--scopes", "admin"), REDIS_URL="redis://127.0.0.1:1"
    )
    assert result.exit_code == 0
    assert len(result.stdout) == 53
    assert "it takes up to 30 s in servers that run" in result.stderr


def test_who_made_and_revoked_keys_is_found_in_the_audit_log(run: Run) -> None:
    secret = made(run)
    run("keys", "rotate", "1")
    run("keys", "revoke", "1")
    lines = run("audit", "--action", "key").stdout.splitlines()
    assert [line.split("  ")[2].split(" [")[0] for line in lines[:1]] == ["key.revoke /keys/1"]
    assert len(lines) == 4
    entries = [json.loads(line) for line in run("audit", "--json").stdout.splitlines()]
    assert {(each["actor"], each["subject"][:8]) for each in entries} == {("command", "command:")}
    assert entries[-1]["changed"][0] == "name"
    assert "till" not in str(entries)
    assert secret[9:46] not in str(entries)
    more = run("audit", "--limit", "1", "--since", "1h")
    assert len(more.stdout.splitlines()) == 1
    assert "There are more than 1" in more.stderr
    assert run("audit", "--until", "2020-01-01T00:00:00+02:00").stdout == ""
    assert run("audit", "--key", "1").stdout == ""
    assert "'last week' is no time" in run("audit", "--since", "last week").stderr
    assert "'User!' is none" in run("audit", "--action", "User!").stderr


def test_the_documented_pattern_finds_keys_in_any_text(run: Run) -> None:
    secret = made(run)
    assert re.findall(rf"(?:{KEY_PATTERN})", f'key="{secret}";')
