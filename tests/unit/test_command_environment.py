"""How commands find their settings, and what they say where there are none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from entrypoints.cli.environment import _warn_of_misspelt_names, environment, read_settings
from entrypoints.settings import (
    DatabaseSettings,
    InsightSettings,
    ModelCommandSettings,
    Settings,
    SettingsError,
)
from entrypoints.up.state import StateDirectory


@pytest.fixture(autouse=True)
def place(tmp_path: Path) -> Iterator[Path]:
    """A working directory, and an environment that names another as the state folder."""
    before = dict(os.environ)
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)
    (tmp_path / "here").mkdir()
    os.environ["STATE_DIR"] = str(tmp_path / "state")
    _warn_of_misspelt_names.cache_clear()
    with chdir(tmp_path / "here"):
        yield tmp_path / "here"
    os.environ.clear()
    os.environ.update(before)


def refusal(kind: type[DatabaseSettings] = Settings) -> str:
    with pytest.raises(SettingsError) as refused:
        read_settings(kind)
    return str(refused.value)


def test_with_nothing_running_the_remedy_comes_and_no_list_of_settings() -> None:
    os.environ["LOG_LEVEL"] = "loud"
    first, second = refusal().splitlines()
    assert first.startswith("Nothing runs here: start `storekeeper up --state-dir ")
    assert "DATABASE_URL" in first
    assert second.startswith("LOG_LEVEL: ")
    assert "LOG_LEVEL" not in refusal(InsightSettings)
    assert read_settings(ModelCommandSettings).llm_timeout_s == 60


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("LLM_PRICES_FILE", "has no mapping `prices`"),
        ("LLM_MODELS_FILE", "/models/local/m/shots must be an integer"),
    ],
)
def test_a_table_that_cannot_be_read_is_a_fault_of_its_setting(
    place: Path, name: str, says: str
) -> None:
    file = place / "table.yaml"
    file.write_text("models: {local: {m: {shots: many}}}")
    os.environ[name] = str(file)
    with pytest.raises(SettingsError) as refused:
        read_settings(ModelCommandSettings)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{name}: ")
    assert str(file) in line
    assert says in line


def test_a_stack_that_has_stopped_is_said_to_have_stopped(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    state.acquire()
    state.load_secrets()
    assert "is not ready: wait until `storekeeper up` says so." in refusal()
    state.env_file.write_text("DATABASE_URL='postgresql://db'\n")
    assert read_settings(DatabaseSettings).database_url.get_secret_value() == "postgresql://db"
    state.release()  # as when it is killed: the file stays
    assert f"The stack of {tmp_path / 'state'} has stopped: start it again with" in refusal()
    assert f"`storekeeper up --state-dir {tmp_path / 'state'}`" in refusal()


def test_a_name_that_is_almost_a_settings_is_warned_of_once(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / ".env").write_text(
        "DATABSE_URL=postgresql://db\nPOSTGRES_PASSWORD=x\nDATABASE_URL_2=y\nopenai_key=z\n"
    )
    os.environ["LLM_PROVIDERS"] = "openai"
    os.environ["SSL_CERT_FILE"] = "ca.pem"
    refusal()
    refusal()
    assert capsys.readouterr().err.splitlines() == [
        "Warning: DATABSE_URL in .env is not a setting; did you mean DATABASE_URL?",
        "Warning: DATABASE_URL_2 in .env is not a setting; did you mean DATABASE_URL?",
        "Warning: openai_key in .env is not a setting; did you mean OPENAI_API_KEY?",
        "Warning: LLM_PROVIDERS in the environment is not a setting; did you mean LLM_PROVIDER?",
    ]


def test_what_is_given_was_not_misspelt(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / ".env").touch(mode=0o600)
    (place / ".env").write_text("DATABASE_URL=postgresql://db\nDATABASE_URI=of-another-program\n")
    read_settings(DatabaseSettings)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfDATABASE_URL=postgresql://db/shop\r\n",
        b"export DATABASE_URL='postgresql://db/shop' # ours\n",
        b'# one\r\n\r\nDATABASE_URL="postgresql://db/shop"\r\nPORT = 1\r\n',
    ],
)
def test_a_file_of_settings_is_read_as_editors_write_it(place: Path, text: bytes) -> None:
    (place / ".env").write_bytes(text)
    loaded = read_settings(DatabaseSettings)
    assert loaded.database_url.get_secret_value() == "postgresql://db/shop"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"PORT=1\nthis is not a setting\n", ".env, line 2: is not NAME=value"),
        (
            b"PORT=1\nSECRET_KEY='hunter2\n",
            ".env, line 2: is not NAME=value, or a quote stays open",
        ),
        (b"PORT=1\n\nNAME=caf\xe9\n", ".env, line 3: is not UTF-8"),
        ("DATABASE_URL=x".encode("utf-16"), ".env, line 1: is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(
    place: Path, text: bytes, said: str
) -> None:
    (place / ".env").write_bytes(text)
    assert refusal().startswith(said)
    assert "hunter2" not in refusal()


def test_a_folder_of_that_name_is_somebody_elses(place: Path) -> None:
    (place / ".env").mkdir()
    assert "STATE_DIR" in environment()
