"""`storekeeper models` over a hub: a real client, and a server that speaks its protocol."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.gguf_files import GgufBytes, parts
from tests.hub import COMMIT, TOKEN, FakeHub, running_hub

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("huggingface_hub", "xllamacpp")),
    reason="the extra `local` is not installed",
)

REPOSITORY: Final = "some-one/Tiny-GGUF"
FILE: Final = f"{REPOSITORY}/tiny-q4.gguf"
# Larger than the buffers between server and client, so that what breaks off breaks in the middle.
CONTENT: Final = GgufBytes(tensors={"token_embd.weight": (64, 20_000)}).content()


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with running_hub() as running:
        running.files[FILE] = CONTENT
        yield running


def models(
    hub: FakeHub, state: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return subprocess.run(
        [sys.executable, "-m", "entrypoints.cli.main", "models", *words],
        env={
            **plain,
            "STATE_DIR": str(state),
            "HF_HOME": str(state / "hf"),
            "HF_ENDPOINT": hub.url,
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refusal; what was said of progress before it is left out."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    line = done.stderr.rstrip("\n").splitlines()[-1]
    assert line.startswith("storekeeper models: ")
    return line


def placed(state: Path, file: str = FILE) -> Path:
    owner, name, inner = file.split("/", 2)
    return state / "models" / f"{owner}--{name}" / inner


def left(state: Path) -> list[str]:
    return sorted(each.name for each in (state / "models").rglob("*") if each.is_file())


def test_a_file_is_pulled_held_to_its_hash_checked_and_found_again(
    hub: FakeHub, tmp_path: Path
) -> None:
    done = models(hub, tmp_path, "pull", FILE)
    assert done.returncode == 0, done.stderr
    assert placed(tmp_path).read_bytes() == CONTENT
    assert left(tmp_path) == ["tiny-q4.gguf"]
    assert f"storekeeper up --model {placed(tmp_path)}" in done.stdout
    assert "(100 %)" in done.stderr
    assert [(method, path) for method, path, _, _ in hub.seen] == [
        ("HEAD", f"/{REPOSITORY}/resolve/main/tiny-q4.gguf"),
        ("GET", f"/{REPOSITORY}/resolve/{COMMIT}/tiny-q4.gguf"),
        ("GET", f"/cdn/{FILE}"),
    ]
    before = len(hub.seen)
    again = models(hub, tmp_path, "pull", f"{hub.url}/{REPOSITORY}/blob/main/tiny-q4.gguf")
    assert again.returncode == 0, again.stderr
    assert [method for method, *_ in hub.seen[before:]] == ["HEAD"]
    told = json.loads(models(hub, tmp_path, "list", "--json").stdout)
    assert told["others"] == [str(placed(tmp_path))]
    assert {each["basis"] for each in told["models"]} == {"measured", "report"}


def test_what_breaks_off_goes_on_where_it_ended(hub: FakeHub, tmp_path: Path) -> None:
    hub.cuts = [2_000_000, 1_500_000]
    done = models(hub, tmp_path, "pull", FILE)
    assert done.returncode == 0, done.stderr
    assert placed(tmp_path).read_bytes() == CONTENT
    begun = [asked for method, path, asked, _ in hub.seen if method == "GET" and "/cdn/" in path]
    assert begun == [None, "bytes=2000000-", "bytes=3500000-"]


def test_a_later_command_goes_on_where_an_earlier_one_gave_up(hub: FakeHub, tmp_path: Path) -> None:
    hub.cuts = [1_000_000, 0, 0, 0, 0, 0]
    line = refusal(models(hub, tmp_path, "pull", FILE))
    assert "the same command goes on there" in line
    assert len(left(tmp_path)) == 1
    hub.seen.clear()
    assert models(hub, tmp_path, "pull", FILE).returncode == 0
    assert placed(tmp_path).read_bytes() == CONTENT
    assert "bytes=1000000-" in [asked for _, _, asked, _ in hub.seen]


def test_a_server_that_sends_all_of_it_again_is_heard(hub: FakeHub, tmp_path: Path) -> None:
    hub.cuts, hub.ranges = [1_000_000], False
    done = models(hub, tmp_path, "pull", FILE)
    assert done.returncode == 0, done.stderr
    assert placed(tmp_path).read_bytes() == CONTENT


def test_another_content_than_the_hash_is_deleted(hub: FakeHub, tmp_path: Path) -> None:
    hub.digests[FILE] = "0" * 64
    line = refusal(models(hub, tmp_path, "pull", FILE))
    assert "states 0000000000000000" in line
    assert left(tmp_path) == []


def test_a_file_that_was_changed_here_is_fetched_anew(hub: FakeHub, tmp_path: Path) -> None:
    assert models(hub, tmp_path, "pull", FILE).returncode == 0
    placed(tmp_path).write_bytes(CONTENT[:-1] + b"?")
    assert models(hub, tmp_path, "pull", FILE).returncode == 0
    assert placed(tmp_path).read_bytes() == CONTENT


def test_all_parts_of_a_model_are_pulled(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    names = []
    for part in parts(tmp_path / "made", 2):
        names.append(f"{REPOSITORY}/q4/{part.name}")
        hub.files[names[-1]] = part.read_bytes()
    done = models(hub, tmp_path, "pull", names[1])
    assert done.returncode == 0, done.stderr
    assert str(placed(tmp_path, names[0])) in done.stdout
    assert left(tmp_path) == [name.rpartition("/")[2] for name in names]


def test_a_gated_repository_wants_a_token_which_other_hosts_never_see(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.gated.add(REPOSITORY)
    line = refusal(models(hub, tmp_path, "pull", FILE))
    assert f"accept a licence first: do so at {hub.url}/{REPOSITORY}" in line
    assert "HF_TOKEN" in line
    wrong = refusal(models(hub, tmp_path, "pull", FILE, HF_TOKEN="hf_wrong"))
    assert "accept a licence first" in wrong
    assert "hf_wrong" not in wrong
    hub.seen.clear()
    assert models(hub, tmp_path, "pull", FILE, HF_TOKEN=TOKEN).returncode == 0
    for _, path, _, token in hub.seen:
        assert token == (None if path.startswith("/cdn/") else f"Bearer {TOKEN}"), path


def test_settings_of_the_hub_may_stand_in_env_files(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.gated.add(REPOSITORY)
    monkeypatch.chdir(tmp_path)
    to_come = placed(tmp_path / "state")
    Path(".env").write_text(f"HF_TOKEN={TOKEN}\nLOCAL_LLM_FILE={to_come}\n")
    done = models(hub, tmp_path / "state", "pull", FILE)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (f"{REPOSITORY}/other.gguf", "has no such file: see"),
        ("no-one/nothing/m.gguf", "has no repository no-one/nothing"),
    ],
)
def test_what_cannot_be_had_is_told_in_a_line(
    hub: FakeHub, tmp_path: Path, name: str, why: str
) -> None:
    assert why in refusal(models(hub, tmp_path, "pull", name))
    assert not placed(tmp_path).exists()


@pytest.mark.parametrize(
    ("status", "why"),
    [(401, "HF_TOKEN"), (403, "may not read"), (429, "too many"), (503, "try again later")],
)
def test_each_status_of_the_hub_is_told_in_a_line(
    hub: FakeHub, tmp_path: Path, status: int, why: str
) -> None:
    hub.status = status
    assert why in refusal(models(hub, tmp_path, "pull", FILE))


def test_a_storage_that_refuses_what_the_hub_promised_is_told_in_a_line(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.storage_status = 503
    assert "answered 503: try again later" in refusal(models(hub, tmp_path, "pull", FILE))


def test_a_hub_that_states_no_hash_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    hub.etag = False
    assert "states no SHA-256" in refusal(models(hub, tmp_path, "pull", FILE))


def test_no_network_and_no_hub_are_told_in_a_line(hub: FakeHub, tmp_path: Path) -> None:
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    line = refusal(models(hub, tmp_path, "pull", FILE, **nobody))
    assert "http://127.0.0.1:9 cannot be asked" in line
    assert "HF_ENDPOINT" in line


def test_offline_takes_what_is_here_and_asks_nobody(hub: FakeHub, tmp_path: Path) -> None:
    assert "HF_HUB_OFFLINE is set" in refusal(
        models(hub, tmp_path, "pull", FILE, HF_HUB_OFFLINE="1")
    )
    assert models(hub, tmp_path, "pull", FILE).returncode == 0
    hub.seen.clear()
    done = models(hub, tmp_path, "pull", FILE, HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert hub.seen == []


def test_a_pulled_file_that_cannot_be_served_is_told_after_the_pull(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.files[FILE] = GgufBytes(values={"general.architecture": "bert"}).content()
    assert "an embedding model" in refusal(models(hub, tmp_path, "pull", FILE))


def test_a_full_disk_is_seen_before_anything_is_fetched(hub: FakeHub, tmp_path: Path) -> None:
    hub.sizes[FILE] = 10**17
    line = refusal(models(hub, tmp_path, "pull", FILE))
    assert "100000000.0 GB are still to come" in line
    assert [method for method, *_ in hub.seen] == ["HEAD"]


def test_more_or_less_than_the_stated_size_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    hub.sizes[FILE] = len(CONTENT) - 1
    assert "more came than the hub stated" in refusal(models(hub, tmp_path, "pull", FILE))
    hub.sizes[FILE] = len(CONTENT) + 1
    assert "sent less than it stated" in refusal(models(hub, tmp_path, "pull", FILE))
