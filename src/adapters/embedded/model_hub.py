"""Model files from the Hugging Face hub: those known to work, and bringing one here."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO, Final, NoReturn

from adapters.embedded.installation import check_installed
from adapters.embedded.model_plan import gigabytes
from domain.errors import Unavailable
from domain.text import suggestion

_INSTEAD: Final = "download the file in another way, and name it with LOCAL_LLM_FILE"
_WORD: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_SOURCE: Final = re.compile(rf"(?P<repository>{_WORD}/{_WORD})/(?P<file>({_WORD}/)*{_WORD}\.gguf)")
_PART: Final = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<count>\d{5})\.gguf")
_MOST_PARTS: Final = 100
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_TRIES: Final = 5
_PAUSE_S: Final = 1.0
_TO_SPARE_BYTES: Final = 200_000_000

KNOWN_AS_OF: Final = "2026-11"
"""When the table of known models was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A file of the hub.

    Attributes:
        repository: `owner/name`.
        file: its path there.
    """

    repository: str
    file: str

    def inside(self, folder: Path) -> Path:
        """Where it lies below a folder of pulled models."""
        return folder / self.repository.replace("/", "--") / self.file

    def __str__(self) -> str:
        return f"{self.repository}/{self.file}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """A model that is known to work.

    Attributes:
        name: by which it is pulled.
        source: where it is; None for the one that comes with storekeeper.
        file_bytes: of its file, about.
        memory_bytes: that its server takes with two slots of 4,096 tokens, about.
        licence: as its publisher names it.
        expect: what its publisher says of it; of the measured one, what was found.
        measured: here; of all others nothing was tried, and all is by report or reckoned.
    """

    name: str
    source: HubFile | None
    file_bytes: int
    memory_bytes: int
    licence: str
    expect: str
    measured: bool = False


def read_source(words: str) -> HubFile:
    """What `owner/name/file.gguf` names; the address of a page or a download of it is taken too.

    Raises:
        Unavailable: it names no GGUF file of a repository.
    """
    plain = re.sub(r"^https?://[^/]+/", "", words)
    plain = re.sub(r"/(blob|resolve)/[^/]+/", "/", plain).partition("?")[0]
    found = _SOURCE.fullmatch(plain)
    if found is None or ".." in plain:
        raise Unavailable(
            f"{words[:200]!r} is neither a known model (`storekeeper models list`) nor a GGUF file"
            " of the hub: write OWNER/REPOSITORY/FILE.gguf."
        )
    return HubFile(repository=found["repository"], file=found["file"])


def _known(
    name: str, source: str, sizes: tuple[float, float], licence: str, expect: str
) -> KnownModel:
    file, memory = sizes
    return KnownModel(
        name=name,
        source=read_source(source),
        file_bytes=int(file * 1e9),
        memory_bytes=int(memory * 1e9),
        licence=licence,
        expect=expect,
    )


KNOWN_MODELS: Final[Sequence[KnownModel]] = (
    KnownModel(
        name="smollm2-135m",
        source=None,
        file_bytes=98_000_000,
        memory_bytes=750_000_000,
        licence="Apache-2.0",
        expect="the default; 81 % of test records without a mistake, by its adapter",
        measured=True,
    ),
    _known(
        "smollm2-360m",
        "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF/smollm2-360m-instruct-q8_0.gguf",
        (0.39, 1.2),
        "Apache-2.0",
        "mostly English; short records",
    ),
    _known(
        "qwen2.5-0.5b",
        "Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q4_k_m.gguf",
        (0.49, 1.3),
        "Apache-2.0",
        "29 languages; short records",
    ),
    _known(
        "qwen3-0.6b",
        "Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf",
        (0.64, 2.2),
        "Apache-2.0",
        "100 languages; short records; is told not to think aloud",
    ),
    _known(
        "gemma-3-1b",
        "ggml-org/gemma-3-1b-it-GGUF/gemma-3-1b-it-Q4_K_M.gguf",
        (0.81, 1.9),
        "Gemma Terms of Use",
        "mostly English",
    ),
    _known(
        "llama-3.2-1b",
        "bartowski/Llama-3.2-1B-Instruct-GGUF/Llama-3.2-1B-Instruct-Q4_K_M.gguf",
        (0.81, 1.7),
        "Llama 3.2 Community License",
        "8 languages",
    ),
    _known(
        "smollm2-1.7b",
        "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF/smollm2-1.7b-instruct-q4_k_m.gguf",
        (1.06, 3.1),
        "Apache-2.0",
        "mostly English",
    ),
    _known(
        "qwen2.5-1.5b",
        "Qwen/Qwen2.5-1.5B-Instruct-GGUF/qwen2.5-1.5b-instruct-q4_k_m.gguf",
        (1.12, 2.0),
        "Apache-2.0",
        "29 languages; trained for JSON",
    ),
    _known(
        "qwen3-1.7b",
        "Qwen/Qwen3-1.7B-GGUF/Qwen3-1.7B-Q8_0.gguf",
        (1.83, 3.4),
        "Apache-2.0",
        "100 languages; is told not to think aloud",
    ),
    _known(
        "llama-3.2-3b",
        "bartowski/Llama-3.2-3B-Instruct-GGUF/Llama-3.2-3B-Instruct-Q4_K_M.gguf",
        (2.02, 3.6),
        "Llama 3.2 Community License",
        "8 languages; slow without a GPU",
    ),
    _known(
        "qwen3-4b",
        "Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf",
        (2.5, 4.4),
        "Apache-2.0",
        "100 languages; slow without a GPU; is told not to think aloud",
    ),
)


def find_source(words: str) -> HubFile:
    """The file of a known model's name, or what `read_source` reads.

    Raises:
        Unavailable: it is neither; or the model that comes with storekeeper.
    """
    named = {known.name: known for known in KNOWN_MODELS}
    known = named.get(words.lower())
    if known is None and "/" not in words:
        raise Unavailable(
            f"{words[:80]!r} is neither a known model nor named OWNER/REPOSITORY/FILE.gguf;"
            f" {suggestion(words.lower(), named)}"
        )
    if known is None:
        return read_source(words)
    if known.source is None:
        raise Unavailable(
            f"{known.name} comes with storekeeper: `storekeeper up` runs it where no other file is"
            " named."
        )
    return known.source


def pull(
    source: HubFile,
    folder: Path,
    *,
    note: Callable[[str, int, int], None],
    environment: Mapping[str, str] = MappingProxyType({}),
    pause_s: float = _PAUSE_S,
) -> Path:
    """Bring a file here, with the other parts of its model if it is one of several.

    What was broken off goes on where it ended. Each file is held to the SHA-256 that the hub
    states; one that is here already is not fetched again.

    Args:
        source: which file.
        folder: of pulled models, made if missing.
        note: told the file's name, how many bytes are here, and how many there are.
        environment: where HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE may stand, besides that of the
            process; heeded by the first call alone.
        pause_s: wait between two tries after a broken connection, in seconds.

    Returns:
        Where the first part lies.

    Raises:
        Unavailable: the extra is not installed, the hub does not give the file, the disk is full,
            or what came is not what was stated; the message has the remedy.
    """
    check_installed(("huggingface_hub",), _INSTEAD)
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE"):
        if name in environment:
            os.environ.setdefault(name, environment[name])
    # Its client would also fetch a list of programs that may have called it, and tell which did.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    files = _all_parts(source)
    for each in files:
        _pull_one(each, each.inside(folder), note, pause_s)
    return files[0].inside(folder)


def _all_parts(source: HubFile) -> Sequence[HubFile]:
    found = _PART.fullmatch(source.file)
    if found is None:
        return [source]
    count = int(found["count"])
    if not 1 <= count <= _MOST_PARTS:
        raise Unavailable(f"{source} is one of {count} parts; at most {_MOST_PARTS} are taken.")
    return [
        HubFile(
            repository=source.repository,
            file=f"{found['stem']}-{number:05}-of-{found['count']}.gguf",
        )
        for number in range(1, count + 1)
    ]


def _pull_one(
    source: HubFile, target: Path, note: Callable[[str, int, int], None], pause_s: float
) -> None:
    import huggingface_hub as hub  # noqa: PLC0415

    if hub.is_offline_mode() and target.is_file():
        return  # nobody can be asked for its hash; it was held to it when it came
    url = hub.hf_hub_url(source.repository, source.file)
    with _clear_errors(source):
        found = hub.get_hf_file_metadata(url)
    digest, size = found.etag or "", found.size
    if not _SHA256.fullmatch(digest) or size is None:
        raise Unavailable(
            f"{source}: the hub states no SHA-256 and size of it (a mirror may leave them out, and"
            " files that are small enough for Git itself have none): download it in another way,"
            " compare its hash yourself, and name it with LOCAL_LLM_FILE."
        )
    if target.is_file() and target.stat().st_size == size and _hash_of(target) == digest:
        note(target.name, size, size)
        return
    if found.commit_hash is not None:  # the same content, however long it takes
        url = hub.hf_hub_url(source.repository, source.file, revision=found.commit_hash)
    unfinished = target.with_name(f".{target.name}.{digest[:12]}.part")
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        opened = os.open(unfinished, os.O_RDWR | os.O_CREAT, 0o644)
        with os.fdopen(opened, "r+b") as file:
            _lock(file, target)
            file.seek(0, os.SEEK_END)
            _check_room(unfinished, size)
            _fetch(_Download(source=source, url=url, size=size, file=file), note, pause_s)
            file.flush()
            os.fsync(file.fileno())
            if (actual := _hash_of(unfinished)) != digest:
                unfinished.unlink()
                raise Unavailable(
                    f"{source} came with the SHA-256 {actual[:16]}..., and the hub states"
                    f" {digest[:16]}...: it was damaged or changed on its way, and was deleted. Try"
                    " again; if it stays so, whatever stands between (HF_ENDPOINT, a proxy) gives"
                    " another file."
                )
            unfinished.replace(target)
    except OSError as error:
        place = error.filename or unfinished
        raise Unavailable(f"{place} cannot be written ({error.strerror}).") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Download:
    source: HubFile
    url: str
    size: int
    file: IO[bytes]


def _fetch(download: _Download, note: Callable[[str, int, int], None], pause_s: float) -> None:
    """Append what is missing, and go on after a broken connection while something comes."""
    import httpx2  # noqa: PLC0415

    name = PurePosixPath(download.source.file).name
    failures = 0
    if download.file.tell() > download.size:
        _begin_anew(download.file)
    while (done := download.file.tell()) != download.size:
        note(name, min(done, download.size), download.size)
        try:
            with _clear_errors(download.source, broken=(httpx2.TransportError,)):
                for piece in _pieces(download, done):
                    download.file.write(piece)
                    note(name, download.file.tell(), download.size)
            why = "the hub sent less than it stated"
        except httpx2.TransportError as error:
            why = f"the connection broke off ({type(error).__name__})"
        if download.file.tell() > download.size:
            _begin_anew(download.file)
            raise Unavailable(f"{download.source}: more came than the hub stated: try again.")
        failures = 0 if download.file.tell() > done else failures + 1
        if download.file.tell() < download.size:
            if failures >= _TRIES:
                raise Unavailable(
                    f"{download.source}: {why} {failures} times in a row, at"
                    f" {gigabytes(download.file.tell())} of {gigabytes(download.size)}. What came"
                    " is kept: the same command goes on there."
                )
            time.sleep(pause_s)
    note(name, download.size, download.size)


def _begin_anew(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()


def _pieces(download: _Download, done: int) -> Iterator[bytes]:
    """What comes from byte `done` on."""
    from huggingface_hub import constants, get_session, hf_raise_for_status  # noqa: PLC0415
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # noqa: PLC0415

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    timeout_s = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream(
        "GET", download.url, headers=headers, timeout=timeout_s, follow_redirects=True
    ) as answer:
        hf_raise_for_status(answer)
        if done and answer.headers.get("Content-Range", "").partition("-")[0] != f"bytes {done}":
            _begin_anew(download.file)  # it sends all of it again
        yield from answer.iter_raw()  # as it comes: of a piece that breaks off nothing is lost


@contextmanager
def _clear_errors(source: HubFile, *, broken: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Say in a line why the hub does not give a file; those of `broken` are passed on."""
    import httpx2  # noqa: PLC0415
    from huggingface_hub import constants, errors  # noqa: PLC0415

    place = constants.ENDPOINT
    page = f"{place}/{source.repository}"
    try:
        yield
    except errors.OfflineModeIsEnabled:
        _refuse(source, "HF_HUB_OFFLINE is set, and it is not here: unset that, or copy the file.")
    except errors.GatedRepoError:
        _refuse(
            source,
            f"its publisher asks everybody to accept a licence first: do so at {page}, make a token"
            " there, and set HF_TOKEN to it.",
        )
    except errors.RemoteEntryNotFoundError:
        _refuse(source, f"{source.repository} has no such file: see {page}/tree/main.")
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        _refuse(
            source,
            f"{place} has no repository {source.repository}, or shows it to some alone: look at its"
            " name, and set HF_TOKEN where it is private.",
        )
    except errors.HfHubHTTPError as error:
        _refuse_status(source, error.response.status_code, place)
    except broken:
        raise
    except httpx2.ProxyError as error:
        _refuse(source, f"the proxy does not let it through ({error}): see HTTPS_PROXY.")
    except (httpx2.HTTPError, httpx2.InvalidURL, errors.FileMetadataError) as error:
        what = str(error).strip().splitlines()[:1] or [type(error).__name__]
        _refuse(
            source,
            f"{place} cannot be asked ({what[0][:200]}): look at the network and at HF_ENDPOINT, or"
            f" {_INSTEAD}.",
        )


def _refuse_status(source: HubFile, status: int, place: str) -> NoReturn:
    reasons = {
        401: "the token is not accepted: set HF_TOKEN to one that is valid, or unset it.",
        403: "the token may not read it: give it that right, or accept the licence on its page.",
        404: "there is no such file: look at its name.",
        429: "too many requests: wait, or set HF_TOKEN, which is allowed more.",
    }
    _refuse(source, f"{place} answered {status}: {reasons.get(status, 'try again later.')}")


def _refuse(source: HubFile, why: str) -> NoReturn:
    raise Unavailable(f"{source}: {why}") from None


def _lock(file: IO[bytes], target: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Unavailable(f"{target} is being pulled by another process: wait for it.") from None


def _check_room(unfinished: Path, size: int) -> None:
    free = shutil.disk_usage(unfinished.parent).free
    missing = size - unfinished.stat().st_size
    if missing + _TO_SPARE_BYTES > free:
        raise Unavailable(
            f"{gigabytes(missing)} are still to come, and {gigabytes(free)} of the disk of"
            f" {unfinished.parent} are free: make room, or choose another --state-dir."
        )


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
