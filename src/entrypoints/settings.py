"""Everything that the environment decides: read once at start, then frozen."""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from adapters.postgres.urls import read_database_url
from domain.access.caller_limits import DEFAULT_LIMITS, stated_limits
from domain.access.tokens import read_meanings
from domain.extraction.calls import current_name
from entrypoints.addresses import is_this_machine


class Provider(StrEnum):
    """Where texts are extracted."""

    LOCAL = "local"
    OPENAI = "openai"
    GEMINI = "gemini"
    OPENAI_COMPATIBLE = "openai_compatible"


class LocalModelAdapter(StrEnum):
    """What the server of the local model holds beside its weights."""

    NONE = "none"
    FIELDS = "fields-3"


_ORIGIN: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])"
    r"(:(?P<port>[0-9]{1,5}))?/?"
)


class SettingsError(Exception):
    """The environment holds values that cannot be used; the message names each of them."""


class Environment(BaseSettings):
    """A part of the settings.

    Each is read from the environment variable of the same name in capitals. A file `.env` in the
    working directory is read first; the environment wins over it.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8-sig",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )


class DatabaseSettings(Environment):
    """The settings of commands that need the database alone."""

    database_url: SecretStr = Field(
        description="PostgreSQL 15+: postgresql://user:password@host:port/name"
        " [?sslmode=verify-full&sslrootcert=FILE] [&pooler=transaction]"
    )
    database_pool_size: int = Field(
        default=8, ge=1, le=200, description="Database connections of one process, at most"
    )
    database_acquire_timeout_s: float = Field(
        default=5.0, gt=0, le=60, description="Longest wait for a free database connection, in s"
    )
    database_statement_timeout_s: float = Field(
        default=10.0, gt=0, le=600, description="Longest run of one statement, in s"
    )
    database_pooler: Literal["none", "transaction"] = Field(
        default="none",
        description="`transaction` behind PgBouncer or Supabase in transaction mode"
        " (or ?pooler=transaction in DATABASE_URL)",
    )
    database_size_limit_mb: int | None = Field(
        default=None,
        ge=10,
        description="What the database may grow to, for `doctor`; on Supabase 500, its free plan",
    )

    @field_validator("database_url")
    @classmethod
    def _postgres_url(cls, value: SecretStr) -> SecretStr:
        read_database_url(value.get_secret_value())
        return value


class ConnectionSettings(DatabaseSettings):
    """Where the stores are: the database, and the queue."""

    redis_url: SecretStr = Field(
        description="Valkey or Redis 6.2+: redis://[:password@]host:port/db, or rediss:// for TLS"
    )

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, value: SecretStr) -> SecretStr:
        if _split(value.get_secret_value()).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("must start with redis://, rediss:// or unix://")
        return value


class ServerSettings(ConnectionSettings):
    """How HTTPS is served."""

    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(default=8443, ge=1, le=65535, description="TCP port to listen on")
    workers: int = Field(default=2, ge=1, le=64, description="Processes that serve HTTP")
    tls_cert_file: Path | None = Field(default=None, description="Certificate chain, PEM")
    tls_key_file: Path | None = Field(default=None, description="Private key, PEM")
    plain_http: bool = Field(
        default=False,
        description="Serve without TLS: only behind a proxy that serves HTTPS",
    )
    shutdown_grace_s: int = Field(
        default=3,
        ge=1,
        le=600,
        description="How long requests under way may still take when the server stops, or SIGHUP"
        " replaces its processes, in s",
    )
    max_body_bytes: int = Field(
        default=1_048_576, ge=1024, le=1_073_741_824, description="Largest request body, in bytes"
    )
    secret_key: SecretStr = Field(
        description="At least 32 random characters, the same for every process; signs page cursors",
    )

    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins whose pages may call the API from a browser, with commas between:"
        " https://shop.example,https://admin.shop.example; none if empty",
    )

    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Proxies whose X-Forwarded-For says who calls: addresses and networks, with"
        " commas between: 10.0.0.7,192.168.0.0/24; if empty, with PLAIN_HTTP, one on this machine",
    )
    rate_limits: str = Field(
        default=DEFAULT_LIMITS,
        description="What a key may ask for, by group: GROUP=UNITS/PERIOD burst UNITS, or"
        " GROUP=off, with commas between; groups are records, insights, extract, admin and"
        " failures (by address), periods s, min, h and day; a group that is not named keeps its"
        " default, and off alone is off for all",
    )
    rate_limit_headers: bool = Field(
        default=False,
        description="Answers say how the caller's limits stand: RateLimit-Policy and RateLimit as"
        " in draft-ietf-httpapi-ratelimit-headers-10",
    )

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split_by_commas(cls, value: object) -> object:
        return _listed(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            ip_network(each)  # says what is wrong with it
        return value

    @field_validator("rate_limits")
    @classmethod
    def _limits(cls, value: str) -> str:
        stated_limits(value)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_origin(each) for each in value)

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 32:
            raise ValueError(
                "is too short: take 32 random characters, as `openssl rand -base64 32` makes"
            )
        return value

    @field_validator("tls_cert_file", "tls_key_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        return _existing(value)

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("TLS_CERT_FILE and TLS_KEY_FILE: set both or neither")
        return self


class TokenSettings(Environment):
    """Whose tokens are accepted beside keys, and what they allow."""

    jwt_jwks_url: str | None = Field(
        default=None,
        description="Where an identity provider publishes its keys (JWKS), https; with it, its"
        " tokens are accepted",
    )
    jwt_issuer: str | None = Field(
        default=None, description="What `iss` of a token must be, letter by letter"
    )
    jwt_audience: str | None = Field(
        default=None, description="What `aud` of a token must be or hold"
    )
    jwt_scope_claim: str | None = Field(
        default=None,
        description="The claim that names scopes, dots lead into objects:"
        " app_metadata.storekeeper_scopes",
    )
    jwt_scopes: str | None = Field(
        default=None,
        description="What values of that claim mean, where they are no scopes themselves:"
        " clerk=records:write,extract; owner=admin",
    )

    @field_validator("jwt_jwks_url")
    @classmethod
    def _safe_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = _split(value)
        if url.scheme not in {"https", "http"} or not url.hostname or "@" in url.netloc:
            raise ValueError("must be an https:// URL without user and password")
        if url.scheme == "http" and not is_this_machine(url.hostname):
            raise ValueError("must be an https:// URL: who stands between could give other keys")
        return value

    @field_validator("jwt_scope_claim")
    @classmethod
    def _not_of_the_user(cls, value: str | None) -> str | None:
        if value is not None and value.split(".")[0] in {"user_metadata", "raw_user_meta_data"}:
            raise ValueError("must not be what users may change themselves; take app_metadata")
        return value

    @field_validator("jwt_scopes")
    @classmethod
    def _meanings(cls, value: str | None) -> str | None:
        if value is not None:
            read_meanings(value)
        return value

    @model_validator(mode="after")
    def _all_of_tokens(self) -> Self:
        needed = {
            "JWT_ISSUER": self.jwt_issuer,
            "JWT_AUDIENCE": self.jwt_audience,
            "JWT_SCOPE_CLAIM": self.jwt_scope_claim,
        }
        if self.jwt_jwks_url is None:
            given = [
                name for name, value in (needed | {"JWT_SCOPES": self.jwt_scopes}).items() if value
            ]
            if given:
                raise ValueError(f"JWT_JWKS_URL is missing, and {given[0]} is set")
        elif missing := [name for name, value in needed.items() if value is None]:
            raise ValueError(f"{' and '.join(missing)} must be set, for JWT_JWKS_URL is")
        return self


class ModelCommandSettings(Environment):
    """The settings of commands that ask language models and need no store."""

    llm_provider: Annotated[tuple[Provider, ...], NoDecode] = Field(
        default=(Provider.LOCAL,),
        description="local, openai, gemini or openai_compatible; a list falls back in order:"
        " openai,local",
    )
    llm_timeout_s: float = Field(
        default=60.0, gt=0, le=600, description="Longest wait for one answer of a provider, in s"
    )
    interactive_deadline_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="Longest wait for the answer to POST /extractions, retries and the whole chain"
        " included, in s",
    )
    llm_concurrency: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="Calls in flight to a provider per process",
    )
    llm_prices_file: Path | None = Field(
        default=None, description="Your own price table (YAML) in place of the shipped one"
    )
    llm_models_file: Path | None = Field(
        default=None,
        description="Rows of your own (YAML) for the table of what each model can do and how it is"
        " asked",
    )
    openai_api_key: SecretStr | None = Field(default=None, description="Key of OpenAI")
    openai_base_url: str = Field(default="https://api.openai.com/v1", description="OpenAI's API")
    openai_model: str = Field(default="gpt-5.4-mini", description="Model of OpenAI")
    gemini_api_key: SecretStr | None = Field(default=None, description="Key of Gemini")
    gemini_base_url: str = Field(
        default="https://generativelanguage.googleapis.com", description="Gemini's API"
    )
    gemini_model: str = Field(default="gemini-3-flash", description="Model of Gemini")
    openai_compatible_base_url: str = Field(
        default="http://127.0.0.1:8000/v1",
        description="API of a server that speaks OpenAI's chat completions, such as vLLM, Ollama,"
        " LM Studio or llama.cpp; ends in /v1 at most of them",
    )
    openai_compatible_api_key: SecretStr | None = Field(
        default=None, description="Key of that server, if it asks for one"
    )
    openai_compatible_model: str = Field(
        default="meta-llama/Llama-3.1-8B-Instruct", description="Model that it serves"
    )
    vllm_base_url: str | None = Field(
        default=None, description="Former name of OPENAI_COMPATIBLE_BASE_URL"
    )
    vllm_api_key: SecretStr | None = Field(
        default=None, description="Former name of OPENAI_COMPATIBLE_API_KEY"
    )
    vllm_model: str | None = Field(
        default=None, description="Former name of OPENAI_COMPATIBLE_MODEL"
    )
    local_llm_base_url: str = Field(
        default="http://127.0.0.1:8081/v1",
        description="The embedded llama.cpp server (set by `storekeeper up`)",
    )
    local_llm_api_key: SecretStr | None = Field(
        default=None, description="Key of the embedded model server (set by `storekeeper up`)"
    )
    local_llm_model: str = Field(default="smollm2-135m", description="Model of the embedded server")
    local_llm_file: Path | None = Field(
        default=None,
        description="Your own model file (GGUF) in place of the embedded model; `storekeeper up`"
        " serves it, and `storekeeper models check` says how",
    )
    local_llm_context_tokens: int | None = Field(
        default=None,
        ge=512,
        le=1_048_576,
        description="Prompt and answer of one request to the model of LOCAL_LLM_FILE together, in"
        " tokens; by default what memory allows, up to 8,192 (`storekeeper up` sets what it chose)",
    )
    local_llm_adapter: LocalModelAdapter | Path = Field(
        default=LocalModelAdapter.NONE,
        description="Adapter that the server of the local model holds, and is asked with: `none`,"
        " `fields-3` (`storekeeper up` sets it for the embedded model, and loads it), or a file of"
        " your own (LoRA, GGUF)",
    )

    @field_validator("local_llm_adapter", mode="before")
    @classmethod
    def _adapter(cls, value: object) -> object:
        if isinstance(value, str):
            names = {each.value: each for each in LocalModelAdapter}
            return names.get(value) or Path(value)
        return value

    @field_validator("local_llm_adapter", "local_llm_file")
    @classmethod
    def _model_file(cls, value: LocalModelAdapter | Path | None) -> LocalModelAdapter | Path | None:
        if not isinstance(value, Path):
            return value
        path = value.expanduser().absolute()
        # It is written into a file that a shell and readers of .env take.
        if "'" in str(path) or not str(path).isprintable():
            raise ValueError("must have a path without quotes and unprintable characters")
        return _existing(path)

    @field_validator("llm_provider", mode="before")
    @classmethod
    def _split_chain(cls, value: object) -> object:
        listed = _listed(value)
        return tuple(map(current_name, listed)) if isinstance(listed, tuple) else listed

    @field_validator("llm_provider")
    @classmethod
    def _each_once(cls, value: tuple[Provider, ...]) -> tuple[Provider, ...]:
        if not value:
            raise ValueError(f"names no provider; there are {', '.join(Provider)}")
        if len(set(value)) != len(value):
            raise ValueError("names a provider twice")
        return value

    @field_validator(
        "openai_base_url",
        "gemini_base_url",
        "openai_compatible_base_url",
        "vllm_base_url",
        "local_llm_base_url",
    )
    @classmethod
    def _http_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = _split(value)
        if url.scheme not in {"http", "https"} or not url.netloc:
            raise ValueError("must be an http:// or https:// URL")
        if url.path.rstrip("/").endswith("/completions"):
            raise ValueError("must be the address before /chat/completions")
        return value.rstrip("/")

    @field_validator("llm_prices_file", "llm_models_file")
    @classmethod
    def _table(cls, value: Path | None) -> Path | None:
        return _existing(value)

    @model_validator(mode="after")
    def _former_names(self) -> Self:
        for part in ("base_url", "api_key", "model"):
            now, former = f"openai_compatible_{part}", f"vllm_{part}"
            both = {now, former} <= self.model_fields_set
            if both and getattr(self, now) != getattr(self, former):
                raise ValueError(
                    f"{now.upper()} and {former.upper()}, its former name, differ: remove"
                    f" {former.upper()}"
                )
        return self

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if self.local_llm_file is not None and "local_llm_model" in self.model_fields_set:
            raise ValueError(
                "LOCAL_LLM_MODEL and LOCAL_LLM_FILE: set one of them; a file's model is named after"
                " the file"
            )
        if self.local_llm_file is None and self.local_llm_context_tokens is not None:
            raise ValueError("LOCAL_LLM_FILE is missing, and LOCAL_LLM_CONTEXT_TOKENS is set")
        return self

    @model_validator(mode="after")
    def _keys(self) -> Self:
        for provider, key in (
            (Provider.OPENAI, self.openai_api_key),
            (Provider.GEMINI, self.gemini_api_key),
        ):
            if provider in self.llm_provider and key is None:
                raise ValueError(
                    f"{provider.upper()}_API_KEY is missing, and LLM_PROVIDER names {provider}"
                )
        return self


class JobSettings(Environment):
    """How extraction jobs are worked on."""

    job_lease_s: float = Field(
        default=15.0,
        ge=1,
        le=600,
        description="A worker silent for so long is taken for dead: others take over its texts",
    )
    llm_batch_size: int = Field(
        default=2_000,
        ge=1,
        le=50_000,
        description="Texts of one batch at a provider; fewer if it says that too many tokens wait",
    )
    llm_batch_poll_s: float = Field(
        default=30.0,
        ge=0.1,
        le=3600,
        description="How often a provider is asked how a batch stands, in s",
    )
    max_job_body_bytes: int = Field(
        default=268_435_456,
        ge=1024,
        le=68_719_476_736,
        description="Largest body that makes an extraction job, in bytes",
    )


class InsightSettings(DatabaseSettings):
    """When insights are due."""

    insights_at: str = Field(
        default="00:20",
        pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$",
        description="UTC time HH:MM at which the insights of the day before are computed",
    )
    insights_scan_s: float = Field(
        default=3600.0,
        ge=1,
        le=86_400,
        description="How often a worker looks for days whose insight is missing or stale, in s",
    )


class AuditSettings(DatabaseSettings):
    """How long is kept who did what."""

    audit_keep_days: int = Field(
        default=365,
        ge=30,
        le=36_500,
        description="How long entries of the audit log are kept, in days",
    )


class WebhookSettings(DatabaseSettings):
    """Where webhooks may go, and how long is kept what was sent."""

    webhook_allowed_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Networks of your own that webhooks may be sent to, also by http: addresses and"
        " networks, with commas between: 10.1.0.0/16,127.0.0.1; if empty, public addresses by https"
        " alone",
    )
    webhook_keep_days: int = Field(
        default=30,
        ge=7,
        le=36_500,
        description="How long deliveries of webhooks are kept, in days",
    )

    @field_validator("webhook_allowed_networks", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        return _listed(value)

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _own_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            ip_network(each)  # says what is wrong with it
        return value


class LogSettings(Environment):
    """What is logged."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level that is logged"
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Form of a log line")


class SchemaCommandSettings(ModelCommandSettings, DatabaseSettings):
    """The settings of commands that hold a record's shape against the configured models."""


class WorkerSettings(
    LogSettings,
    AuditSettings,
    WebhookSettings,
    InsightSettings,
    JobSettings,
    ModelCommandSettings,
    ConnectionSettings,
):
    """The settings of those who work on jobs: all but those of HTTPS."""


class Settings(TokenSettings, WorkerSettings, ServerSettings):
    """All settings."""


S = TypeVar("S", bound=Environment)


def is_secret(name: str) -> bool:
    """Whether a setting, by its name in any letters, is a secret as a whole."""
    field = Settings.model_fields.get(name.lower())
    return field is not None and "SecretStr" in str(field.annotation)


def _split(url: str) -> SplitResult:
    """The parts of a URL; what is said of a bad one holds nothing of it, for it may be a secret."""
    host = r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/,]*)(:[0-9]{1,5})?"
    try:
        parts = urlsplit(url)
        _ = parts.port  # up to 65535, or an error
    except ValueError:
        parts = SplitResult("", "::", "", "", "")
    if not re.fullmatch(f"([^@]*@)?{host}", parts.netloc):
        raise ValueError("is not a URL; percent-encode special characters of the password")
    return parts


def _listed(value: object) -> object:
    """What stands between the commas of a setting."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _origin(given: str) -> str:
    """An origin as browsers write it: in small letters, without the port that its scheme has."""
    found = _ORIGIN.fullmatch(given.lower())
    if found is None or int(found["port"] or 0) > 65_535:
        raise ValueError(
            "each must be an origin in full, scheme://host or scheme://host:port (no *, no null, no"
            " path; a name with other letters in its xn-- form)"
        )
    port = int(found["port"]) if found["port"] else None
    if port == {"http": 80, "https": 443}[found["scheme"]]:
        port = None
    return f"{found['scheme']}://{found['host']}{'' if port is None else f':{port}'}"


def _existing(value: Path | None) -> Path | None:
    if value is not None and not value.is_file():
        raise ValueError(f"is not a file that can be read: {value.absolute()} was looked for")
    return value


def load_settings(**overrides: Any) -> Settings:
    """Read all settings; as `load_some_settings`."""
    return load_some_settings(Settings, **overrides)


def load_some_settings(kind: type[S], **overrides: Any) -> S:
    """Read the settings from `.env` and the environment; `overrides` win over both.

    Args:
        kind: `Settings`, or the part of them that is needed.

    Raises:
        SettingsError: one or more values are missing or bad; the message has a line for each with
            its name, the value (never a secret's) and what is allowed.
    """
    try:
        return kind(**overrides)
    except ValidationError as error:
        lines = [_explain(each) for each in error.errors(include_url=False)]
        raise SettingsError("\n".join(lines)) from None


def _explain(error: ErrorDetails) -> str:
    """One line for one bad setting."""
    if not error["loc"]:  # a rule over several settings names them itself
        return str(error["msg"]).removeprefix("Value error, ")
    field = str(error["loc"][0])
    spec = Settings.model_fields[field]
    if error["type"] == "missing":
        return f"{field.upper()} is missing. {spec.description}"
    reason = str(error["msg"]).removeprefix("Value error, ")
    given = str(error["input"])
    # A URL may hold a password or a key, and a key may have been meant for the setting beside it.
    secret = is_secret(field) or any(sign in given for sign in "@?")
    mistaken = field.endswith("_url") and "." not in given and "://" not in given
    got = "" if secret or mistaken else f" (got {error['input']!r})"
    return f"{field.upper()}: {reason}{got}. {spec.description}"
