from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from domain.extraction.calls import Attempt, TokenUsage
from entrypoints.container.models import model_configs, price_table
from entrypoints.settings import Provider, Settings, SettingsError, load_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
RIGHT = {
    "database_url": "postgresql://shop:hunter2@db:5432/shop",
    "redis_url": "redis://:hunter2@queue:6379/0",
    "secret_key": "hunter2 " * 5,
}


@pytest.fixture(autouse=True)
def environment(tmp_path: Path) -> Iterator[os._Environ[str]]:
    """The process's environment without a setting in it, in a directory without a file."""
    before = dict(os.environ)
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)
    with chdir(tmp_path):
        yield os.environ
    os.environ.clear()
    os.environ.update(before)


def settings(**more: Any) -> Settings:
    return load_settings(_env_file=None, **(RIGHT | more))


def refusal(**more: Any) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        settings(**more)
    lines = str(refused.value).splitlines()
    assert not any("hunter2" in line for line in lines)
    return lines


def is_secret(name: str) -> bool:
    return "SecretStr" in str(Settings.model_fields[name].annotation)


def test_what_has_no_default_must_be_given_and_is_explained() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(_env_file=None)
    lines = str(refused.value).splitlines()
    assert [line.split()[0] for line in lines] == ["DATABASE_URL", "REDIS_URL", "SECRET_KEY"]
    assert lines[0].startswith("DATABASE_URL is missing. PostgreSQL 15+: postgresql://")


def test_settings_come_from_the_environment_in_any_letter_case(
    environment: os._Environ[str],
) -> None:
    environment.update({name.upper(): value for name, value in RIGHT.items()})
    environment["port"] = "9443"
    environment["LLM_PROVIDER"] = "openai_compatible, local"
    environment["LOG_LEVEL"] = ""  # empty is as good as absent
    environment["UNRELATED"] = "ignored"
    loaded = load_settings()
    assert loaded.port == 9443
    assert loaded.llm_provider == (Provider.OPENAI_COMPATIBLE, Provider.LOCAL)
    assert loaded.log_level == "info"


def test_the_environment_wins_over_the_file_and_arguments_over_both(
    environment: os._Environ[str], tmp_path: Path
) -> None:
    lines = [f"{name.upper()}={value}" for name, value in RIGHT.items()]
    (tmp_path / ".env").write_text("\n".join([*lines, "PORT=1111", "WORKERS=3", "HOST=::1"]))
    environment["PORT"] = "2222"
    environment["HOST"] = "0.0.0.0"  # noqa: S104
    loaded = load_settings(host="127.0.0.2")
    assert (loaded.workers, loaded.port, loaded.host) == (3, 2222, "127.0.0.2")


@pytest.mark.parametrize("part", ["base_url", "api_key", "model"])
def test_settings_of_vllm_are_former_names_of_those_of_any_server(part: str) -> None:
    value = "http://gpu:8000/v1" if part == "base_url" else "one"
    now, former = f"openai_compatible_{part}", f"vllm_{part}"
    (by_former,) = model_configs(settings(llm_provider="vllm", **{former: value}))
    (by_name,) = model_configs(settings(llm_provider="openai_compatible", **{now: value}))
    assert by_former == by_name
    assert getattr(by_name, part) == value
    alike = settings(llm_provider="openai_compatible", **{now: value, former: value})
    assert model_configs(alike) == [by_name]
    (line,) = refusal(**{now: value, former: f"{value}2"})
    assert line == (
        f"{now.upper()} and {former.upper()}, its former name, differ: remove {former.upper()}"
    )


def test_a_provider_under_both_its_names_is_there_twice() -> None:
    (line,) = refusal(llm_provider="vllm,openai_compatible")
    assert line.startswith("LLM_PROVIDER: names a provider twice")


def test_either_url_makes_the_server_one_that_can_be_asked() -> None:
    for name in ("vllm_base_url", "openai_compatible_base_url"):
        asked = model_configs(settings(**{name: "http://gpu:8000/v1"}))
        assert [each.provider for each in asked] == ["openai_compatible", "local"]


@pytest.mark.parametrize(
    ("url", "free"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://10.1.2.3:8000/v1", True),
        ("http://100.64.0.7/v1", True),
        ("http://[fd00::1]:8000/v1", True),
        ("http://gpu-host:8000/v1", True),
        ("http://vllm.models.svc.cluster.local:8000/v1", True),
        ("http://box.LAN:8000/v1", True),
        ("https://openrouter.ai/api/v1", False),
        ("http://203.0.114.7:8000/v1", False),
        ("https://gpu.shop.example/v1", False),
    ],
)
def test_tokens_of_a_server_on_the_internet_are_not_free(
    url: str, free: bool, tmp_path: Path
) -> None:
    call = Attempt(
        provider="openai_compatible",
        model="m",
        outcome=None,
        usage=TokenUsage(input_tokens=1_000_000),
    )
    assert price_table(settings(openai_compatible_base_url=url)).cost([call]) == (
        0 if free else None
    )
    own = tmp_path / "prices.yaml"
    own.write_text("prices: {openai_compatible: {m: {input: 2, cached: 1, output: 4}}}")
    priced = settings(vllm_base_url=url, llm_prices_file=own)
    assert price_table(priced).cost([call]) == 2


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings().port = 1


@pytest.mark.parametrize("shown", [repr, str, lambda loaded: str(loaded.model_dump())])
def test_secrets_are_never_printed(shown: Any) -> None:
    secrets = {name: "hunter2 " * 5 for name in Settings.model_fields if is_secret(name)}
    loaded = settings(**(secrets | RIGHT))
    assert "hunter2" not in shown(loaded)
    assert loaded.secret_key.get_secret_value() == RIGHT["secret_key"]


def test_whatever_is_named_a_key_or_holds_a_password_is_a_secret() -> None:
    named = {name for name in Settings.model_fields if re.search(r"(_key|token|password)$", name)}
    named |= {"database_url", "redis_url"}
    assert {name for name in Settings.model_fields if is_secret(name)} == named


def test_every_bad_value_is_named_at_once_with_what_is_allowed() -> None:
    lines = refusal(port="http", workers=0, log_level="loud", database_pool_size="8.5")
    assert len(lines) == 4
    by_name = {line.split(":")[0]: line for line in lines}
    assert by_name["PORT"].startswith("PORT: Input should be a valid integer")
    assert "(got 'http')" in by_name["PORT"]
    assert by_name["PORT"].endswith("TCP port to listen on")
    assert "greater than or equal to 1 (got 0)" in by_name["WORKERS"]
    assert "'debug', 'info', 'warning' or 'error' (got 'loud')" in by_name["LOG_LEVEL"]
    assert "(got '8.5')" in by_name["DATABASE_POOL_SIZE"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_pool_size", 0),
        ("database_pool_size", 201),
        ("database_acquire_timeout_s", 0),
        ("database_acquire_timeout_s", 60.1),
        ("database_acquire_timeout_s", "nan"),
        ("database_statement_timeout_s", -1),
        ("database_statement_timeout_s", "inf"),
        ("database_pooler", "session"),
        ("port", 0),
        ("port", 65536),
        ("workers", 65),
        ("max_body_bytes", 1023),
        ("max_body_bytes", 2**30 + 1),
        ("plain_http", "perhaps"),
        ("rate_limits", "records=fast"),
        ("rate_limits", "orders=5/min"),
        ("rate_limit_headers", "perhaps"),
        ("llm_timeout_s", 601),
        ("llm_concurrency", 0),
        ("llm_provider", "gpt"),
        ("llm_provider", "local,local"),
        ("llm_provider", " , "),
        ("log_format", "xml"),
        ("openai_base_url", "api.openai.com"),
        ("openai_base_url", "ftp://api.openai.com"),
        ("gemini_base_url", "https://"),
        ("vllm_base_url", "http://[::1"),
        ("openai_compatible_base_url", "http://gpu.lan:1234/v1/chat/completions/"),
        ("openai_base_url", "https://gateway.example/v1/completions"),
        ("local_llm_base_url", "http://host:port/"),
        ("openai_base_url", "http://host:65536/"),
        ("gemini_base_url", "https://one,two/"),
        ("tls_cert_file", "/no/such/file.pem"),
        ("tls_key_file", "/"),
        ("llm_prices_file", "/no/such/file.yaml"),
        ("llm_models_file", "/no/such/file.yaml"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_its_name_and_itself(name: str, value: Any) -> None:
    (line,) = refusal(**{name: value})
    assert line.startswith(f"{name.upper()}: ")
    assert f"got {value!r}" in line or isinstance(value, float) or "_file" in name
    assert line.endswith(str(Settings.model_fields[name].description))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_pool_size", 1),
        ("database_pool_size", 200),
        ("port", 65535),
        ("max_body_bytes", 1024),
        ("database_statement_timeout_s", 0.001),
    ],
)
def test_the_bounds_themselves_are_right(name: str, value: Any) -> None:
    assert getattr(settings(**{name: value}), name) == value


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "mysql://shop:hunter2@db/shop",
        "postgresql+asyncpg://shop:hunter2@db/shop",
        "postgresql://shop:hunter2@db/shop?pooler=hunter2",
        "postgresql://shop:hunter2/@db/shop",
        "postgresql://shop:hunter2@[db/shop",
        "postgresql://shop:hunter2@db:port/shop",
    ],
)
def test_a_database_url_that_cannot_be_used_is_refused_and_not_printed(url: str) -> None:
    (line,) = refusal(database_url=url)
    assert line.startswith("DATABASE_URL: ")
    assert "shop" not in line


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db",
        "postgres://shop:p%40ss@db:5432/shop?sslmode=require&pooler=transaction",
        "postgresql://shop@[::1]:5432/shop",
        "postgresql://shop@one:5432,two:5433/shop",
        "postgresql:///shop?host=/var/run/postgresql&pooler=none",
    ],
)
def test_the_forms_of_a_database_url_are_right(url: str) -> None:
    assert settings(database_url=url).database_url == SecretStr(url)


@pytest.mark.parametrize("url", ["queue:6379", "http://:hunter2@queue", "redis://:hunter2@[queue"])
def test_a_queue_url_that_cannot_be_used_is_refused_and_not_printed(url: str) -> None:
    (line,) = refusal(redis_url=url)
    assert line.startswith("REDIS_URL: ")


@pytest.mark.parametrize(
    "url", ["redis://queue", "rediss://:p@queue:6380/3", "unix:///run/valkey.sock?db=1"]
)
def test_the_forms_of_a_queue_url_are_right(url: str) -> None:
    assert settings(redis_url=url).redis_url == SecretStr(url)


def test_proxies_are_addresses_and_networks() -> None:
    loaded = settings(trusted_proxies="10.0.0.7, 192.168.0.0/24,2001:db8::/64")
    assert loaded.trusted_proxies == ("10.0.0.7", "192.168.0.0/24", "2001:db8::/64")
    for bad in ("*", "proxy.example", "10.0.0.7/8"):
        (line,) = refusal(trusted_proxies=bad)
        assert line.startswith("TRUSTED_PROXIES: ")
        assert f"{bad!r}" in line


def test_the_secret_key_has_at_least_32_characters() -> None:
    assert refusal(secret_key="hunter2 hunter2 hunter2 hunter2")[0].startswith("SECRET_KEY: is too")
    assert settings(secret_key="x" * 32).secret_key == SecretStr("x" * 32)


@given(st.text(min_size=1))
def test_no_value_of_a_secret_stands_in_its_refusal(value: str) -> None:
    marked = f"<<{value}>>"
    with pytest.raises(SettingsError) as refused:
        load_settings(
            _env_file=None, database_url=marked, redis_url=marked, secret_key=f"<<{value[:20]}>>"
        )
    assert "<<" not in str(refused.value)


def test_tls_needs_both_files(tmp_path: Path) -> None:
    pem = tmp_path / "some.pem"
    pem.touch()
    for one in ("tls_cert_file", "tls_key_file"):
        assert refusal(**{one: pem}) == ["TLS_CERT_FILE and TLS_KEY_FILE: set both or neither"]
    assert settings(tls_cert_file=pem, tls_key_file=pem).tls_cert_file == pem


@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_a_provider_with_a_key_needs_its_key(provider: str) -> None:
    name = f"{provider}_api_key"
    (line,) = refusal(llm_provider=f"local,{provider}")
    assert line.startswith(name.upper())
    assert settings(llm_provider=provider, **{name: "k"}).llm_provider == (Provider(provider),)


def test_a_base_url_loses_its_last_slash() -> None:
    assert settings(vllm_base_url="http://gpu:8000/v1/").vllm_base_url == "http://gpu:8000/v1"


TOKENS = {
    "jwt_jwks_url": "https://ref.supabase.co/auth/v1/.well-known/jwks.json",
    "jwt_issuer": "https://ref.supabase.co/auth/v1",
    "jwt_audience": "authenticated",
    "jwt_scope_claim": "app_metadata.storekeeper_scopes",
}


@pytest.mark.parametrize(
    "url",
    [
        "http://ref.supabase.co/jwks.json",
        "http://127.0.0.1.example.com/jwks.json",
        "http://2130706433/jwks.json",
        "http://0.0.0.0/jwks.json",
        "ftp://127.0.0.1/jwks.json",
        "file:///etc/jwks.json",
        "https://",
        "https:///jwks.json",
        "jwks.json",
        "https://user:hunter2@ref.supabase.co/jwks.json",
        "http://hunter2@localhost/jwks.json",
    ],
)
def test_keys_of_tokens_come_over_tls_or_from_this_machine(url: str) -> None:
    (line,) = refusal(**(TOKENS | {"jwt_jwks_url": url}))
    assert line.startswith("JWT_JWKS_URL: ")


@pytest.mark.parametrize(
    "url", ["http://localhost:54321/jwks", "http://[::1]:9/jwks", "https://id.example/jwks?p=1"]
)
def test_the_forms_of_a_jwks_url_are_right(url: str) -> None:
    assert settings(**(TOKENS | {"jwt_jwks_url": url})).jwt_jwks_url == url


@pytest.mark.parametrize("missing", ["jwt_issuer", "jwt_audience", "jwt_scope_claim"])
def test_a_jwks_url_needs_what_tokens_are_held_against(missing: str) -> None:
    given = {name: value for name, value in TOKENS.items() if name != missing}
    assert refusal(**given) == [f"{missing.upper()} must be set, for JWT_JWKS_URL is"]


@pytest.mark.parametrize("name", ["jwt_issuer", "jwt_audience", "jwt_scope_claim", "jwt_scopes"])
def test_what_tokens_are_held_against_is_nothing_without_keys(name: str) -> None:
    given = TOKENS | {"jwt_scopes": "a=admin"}
    assert refusal(**{name: given[name]}) == [f"JWT_JWKS_URL is missing, and {name.upper()} is set"]


@pytest.mark.parametrize("claim", ["user_metadata.scopes", "user_metadata", "raw_user_meta_data.x"])
def test_scopes_cannot_come_from_what_users_write_themselves(claim: str) -> None:
    (line,) = refusal(**(TOKENS | {"jwt_scope_claim": claim}))
    assert line.startswith("JWT_SCOPE_CLAIM: must not be what users may change themselves")


def test_meanings_of_a_scope_claim_are_read_at_the_start() -> None:
    (line,) = refusal(**TOKENS, jwt_scopes="clerk=records")
    assert line.startswith("JWT_SCOPES: has the scope 'records', which is not known")


# The example


def entries() -> dict[str, tuple[str, bool, str]]:
    """Name -> comment above, whether the line is set, value; in the order of the file."""
    found: dict[str, tuple[str, bool, str]] = {}
    comment: list[str] = []
    for line in EXAMPLE.read_text().splitlines():
        if match := re.fullmatch(r"(#?)([A-Z][A-Z0-9_]*)=(.*)", line):
            name = match.group(2).lower()
            assert name not in found, name
            found[name] = (" ".join(comment), not match.group(1), match.group(3))
            comment = []
        else:
            comment = [*comment, line.removeprefix("# ")] if line.startswith("# ") else []
    return found


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_example_describes_each_setting_as_the_class_does(name: str) -> None:
    field = Settings.model_fields[name]
    assert name in entries(), f"{name.upper()} is missing from .env.example"
    comment, is_set, value = entries()[name]
    assert comment == " ".join(textwrap.wrap(str(field.description)))
    assert is_set == field.is_required()
    if not field.is_required():
        default = field.get_default(call_default_factory=True)
        shown = ",".join(default) if isinstance(default, tuple) else default
        assert value == ("" if shown is None else str(shown).removeprefix("SecretStr")) or (
            isinstance(default, bool) and value == str(default).lower()
        )


def test_the_example_holds_the_settings_in_order_and_nothing_else() -> None:
    assert list(entries()) == list(Settings.model_fields)


def test_the_example_misses_nothing_but_a_key_of_ones_own(tmp_path: Path) -> None:
    copy = tmp_path / ".env"
    text = EXAMPLE.read_text()
    copy.write_text(text)
    with pytest.raises(SettingsError, match=r"\ASECRET_KEY is missing\. .*\Z"):
        load_settings(_env_file=copy)
    copy.write_text(re.sub(r"^#(?=[A-Z])", "", text, flags=re.MULTILINE))
    loaded = load_settings(_env_file=copy, secret_key=RIGHT["secret_key"])
    for name, field in Settings.model_fields.items():
        if not field.is_required():
            assert getattr(loaded, name) == field.get_default(call_default_factory=True), name


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ("", ()),
        ("https://shop.example", ("https://shop.example",)),
        (
            " HTTPS://Shop.Example:443/ ,http://LOCALHOST:80",
            ("https://shop.example", "http://localhost"),
        ),
        (
            "http://127.0.0.1:5173,https://[::1]:8443",
            ("http://127.0.0.1:5173", "https://[::1]:8443"),
        ),
        ("https://xn--kse-qla.example", ("https://xn--kse-qla.example",)),
    ],
)
def test_origins_are_kept_as_browsers_write_them(given: str, origins: tuple[str, ...]) -> None:
    assert settings(cors_origins=given).cors_origins == origins


@pytest.mark.parametrize(
    "given",
    [
        "*",
        "null",
        "https://*",
        "https://*.shop.example",
        "shop.example",
        "https://shop.example/path",
        "https://shop.example?x",
        "https://shop.example:99999",
        "https://shop.example:",
        "https://käse.example",
        "file://",
        "chrome-extension://abcdef",
        "https://shop.example https://other.example",
    ],
)
def test_what_is_no_exact_origin_is_refused(given: str) -> None:
    (line,) = refusal(cors_origins=f"https://good.example,{given}")
    assert line.startswith("CORS_ORIGINS: ")
    assert "each must be an origin in full, scheme://host" in line
