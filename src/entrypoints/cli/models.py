"""`storekeeper models`: files of language models for this machine."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from domain.errors import Unavailable
from entrypoints.cli.environment import environment, settings_or_exit
from entrypoints.cli.options import examples, help_end, state_dir_option
from entrypoints.cli.process import end_interrupted
from entrypoints.cli.stack import state_directory_or_exit
from entrypoints.cli.tables import echo_columns, echo_json, echo_members
from entrypoints.container.model_files import (
    LocalModel,
    ModelFile,
    ServerPlan,
    gigabytes,
    gpu_devices,
    local_model,
    plan_here,
    profile_here,
    read_model,
    served_model,
    usable_cores,
    weights_file,
)
from entrypoints.container.model_hub import (
    KNOWN_AS_OF,
    KNOWN_MODELS,
    KnownModel,
    find_source,
    pull,
)
from entrypoints.container.model_rows import read_model_rows
from entrypoints.settings import LocalModelAdapter, ModelCommandSettings
from ports.language_models import AnswerShape

_HEADING: Final = ("NAME", "SIZE", "MEMORY", "LICENCE", "HERE", "WHAT TO EXPECT", "FILE OF THE HUB")
_STYLES: Final = {
    AnswerShape.QUOTED: "for the passage before each value (quotes)",
    AnswerShape.VALUES: "for bare values, after the nearest examples",
}
_PROGRESS_STEP: Final = 10


@click.group("models", epilog=examples("storekeeper models list"))
def command() -> None:
    """See, fetch and check files of language models that run on this machine.

    `storekeeper up --model FILE`, or LOCAL_LLM_FILE, serves one in place of the embedded model.
    """


@command.command(
    "list", epilog=help_end("storekeeper models list", "storekeeper models list --json")
)
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
def list_command(*, state_dir: Path | None, as_json: bool) -> None:
    """List models that are known to work, by report, and those that were pulled.

    The first one was measured here. Of the others none was tried here, and their memory (two
    requests of 4,096 tokens at once) is reckoned.
    """
    folder = state_directory_or_exit("models", state_dir).models
    if as_json:
        known = [_view(each, folder) for each in KNOWN_MODELS]
        echo_json({"as_of": KNOWN_AS_OF, "models": known, "others": _others(folder)})
        return
    rows = [
        (
            each.name,
            gigabytes(each.file_bytes),
            gigabytes(each.memory_bytes),
            each.licence,
            "yes" if _is_here(each, folder) else "-",
            f"{'measured' if each.measured else 'by report'}: {each.expect}",
            "-" if each.source is None else str(each.source),
        )
        for each in KNOWN_MODELS
    ]
    echo_columns([_HEADING, *rows])
    if others := _others(folder):
        echo_columns([(other,) for other in others])
    click.echo(
        f"As of {KNOWN_AS_OF}. `storekeeper models pull NAME` brings one here; others by"
        " OWNER/REPOSITORY/FILE.gguf."
    )


def _known_names(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    names = [each.name for each in KNOWN_MODELS if each.source is not None]
    return [name for name in names if name.startswith(incomplete)]


@command.command(
    "pull",
    epilog=help_end(
        "storekeeper models pull qwen3-4b",
        "storekeeper models pull Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf",
    ),
)
@click.argument("model", shell_complete=_known_names)
@state_dir_option
def pull_command(*, model: str, state_dir: Path | None) -> None:
    """Bring a model here from the Hugging Face hub: by its NAME in the list, or any other.

    Others are named as OWNER/REPOSITORY/FILE.gguf. It is held to the SHA-256 that the hub states,
    and then checked. What was broken off goes on where it ended. HF_ENDPOINT names a mirror,
    HF_TOKEN opens what needs an account, HF_HUB_OFFLINE asks nobody.
    """
    state = state_directory_or_exit("models", state_dir)
    try:
        source = find_source(model)
        path = pull(source, state.models_folder(), note=_Progress(), environment=environment())
        settings = _alone(path, LocalModelAdapter.NONE)
        local = local_model(settings)
    except Unavailable as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or state.models}: {error.strerror}.")
    except KeyboardInterrupt:
        end_interrupted("models", "What came is kept: the same command goes on there.")
    _check(local, settings)


@command.command(
    "check",
    epilog=help_end(
        "storekeeper models check",
        "storekeeper models check ~/models/qwen3-4b.gguf --json",
        codes={0: "it can be served here", 1: "it cannot be served here"},
    ),
)
@click.argument(
    "file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--adapter", type=click.Path(path_type=Path), help="LoRA adapter (GGUF) to check too."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def check_command(*, file: Path | None, adapter: Path | None, as_json: bool) -> None:
    """Say what a model file holds, whether it fits here, and how it would be served.

    Without FILE, what the settings name: LOCAL_LLM_FILE, else the embedded model. Exit code 1 if it
    cannot be served here.
    """
    if file is not None:
        settings = _alone(file, adapter or LocalModelAdapter.NONE)
    else:
        settings = settings_or_exit(ModelCommandSettings, local_llm_adapter=adapter)
    try:
        if settings.local_llm_file is None:
            _check_embedded(settings, as_json=as_json)
            return
        local = local_model(settings)
    except Unavailable as error:
        _fail(str(error))
    _check(local, settings, as_json=as_json)


def _alone(file: Path, adapter: LocalModelAdapter | Path) -> ModelCommandSettings:
    """A file as if nothing else were set: what is set may be what is to be mended by it."""
    return ModelCommandSettings.model_construct(local_llm_file=file, local_llm_adapter=adapter)


def _check_embedded(settings: ModelCommandSettings, *, as_json: bool) -> None:
    """Say what comes with storekeeper.

    Raises:
        Unavailable: it is not installed, or the adapter that is named does not fit it.
    """
    own = isinstance(settings.local_llm_adapter, Path)
    if not own:
        settings = settings.model_copy(update={"local_llm_adapter": LocalModelAdapter.FIELDS})
    served = served_model(local_model(settings), None, settings)
    view = {
        **_facts(read_model(weights_file())),
        "adapter": str(served.adapter),
        "at once": f"{served.slots} requests of {served.context_tokens:,} tokens each",
    }
    if as_json:
        _say_document(view)
        return
    echo_members(view)
    adapter = f" --adapter {shlex.quote(str(served.adapter))}" if own else ""
    click.echo(f"This is the model that comes with storekeeper. Use it:  storekeeper up{adapter}")


class _Progress:
    """Tells how far a file is: a bar where somebody looks on, else a line now and then."""

    def __init__(self) -> None:
        self._name = ""
        self._told = -1

    def __call__(self, name: str, done: int, size: int) -> None:
        percent = 100 * done // max(1, size)
        seen = sys.stderr.isatty()
        step = percent if seen else percent // _PROGRESS_STEP
        if (name, step) == (self._name, self._told):
            return
        self._name, self._told = name, step
        line = f"{name}: {gigabytes(done)} of {gigabytes(size)} ({percent} %)"
        end = done == size or not seen
        click.echo(f"\r{line}" if seen else line, nl=end, err=True)


def _check(local: LocalModel, settings: ModelCommandSettings, *, as_json: bool = False) -> None:
    """Say all of a file; ends the process (1) where it cannot be served."""
    file = local.file
    assert file is not None
    view = {**_facts(file), "answers as": local.name}
    if local.adapter is not None:
        how = "every request" if local.tuned_to is None else f"the prompt {local.tuned_to}"
        view["adapter"] = f"{local.adapter.path}, applied to {how}"
    try:
        plan = plan_here(file, settings)
        served_model(local, plan, settings)
        gpus = [each.name for each in gpu_devices()]
    except Unavailable as error:
        if as_json:
            _say_document(view, problem=str(error))
            sys.exit(1)
        echo_members(view)
        _fail(str(error))
    view |= _served(local, plan, settings, gpus)
    if as_json:
        _say_document(view)
        return
    echo_members(view)
    click.echo(f"It fits. Use it:  {_use(local)}")


def _say_document(view: Mapping[str, str], *, problem: str | None = None) -> None:
    """What is said to people, for programs."""
    members = {name.replace(" ", "_"): value for name, value in view.items()}
    echo_json({**members, "fits": problem is None, "problem": problem})


def _facts(file: ModelFile) -> dict[str, str]:
    return {
        "file": f"{file.path} ({gigabytes(file.weights_bytes)})",
        "model": f"{file.title} ({file.architecture}, {file.parameters / 1e9:.2f} billion"
        f" parameters, {file.quantisation})",
        "licence": file.licence or "not stated in the file",
        "trained for": f"{file.trained_tokens:,} tokens",
    }


def _served(
    local: LocalModel, plan: ServerPlan, settings: ModelCommandSettings, gpus: Sequence[str]
) -> dict[str, str]:
    profile = profile_here(local, settings, read_model_rows(settings.llm_models_file))
    assert profile is not None
    threads = f"CPU, threads: {max(1, usable_cores() // 2)} ({usable_cores()} for prompts)"
    return {
        "asked": _STYLES[profile.style],
        "at once": f"{plan.slots} requests of {plan.context_tokens:,} tokens each",
        "memory": f"about {gigabytes(plan.needed_bytes)}, {gigabytes(plan.free_bytes)} are free",
        "runs on": f"{', '.join(gpus)}, and {threads}" if gpus else f"{threads}; no GPU is usable",
    }


def _use(local: LocalModel) -> str:
    assert local.file is not None
    words = f"storekeeper up --model {shlex.quote(str(local.file.path))}"
    if local.adapter is not None:
        words += f" --adapter {shlex.quote(str(local.adapter.path))}"
    return words


def _is_here(known: KnownModel, folder: Path) -> bool:
    if known.source is not None:
        return known.source.inside(folder).is_file()
    try:
        weights_file()
    except Unavailable:
        return False
    return True


def _view(known: KnownModel, folder: Path) -> dict[str, object]:
    source = known.source
    return {
        "name": known.name,
        "repository": None if source is None else source.repository,
        "file": None if source is None else source.file,
        "file_bytes": known.file_bytes,
        "memory_bytes": known.memory_bytes,
        "licence": known.licence,
        "expect": known.expect,
        "basis": "measured" if known.measured else "report",
        "here": _is_here(known, folder),
        "path": None if source is None else str(source.inside(folder)),
    }


def _others(folder: Path) -> list[str]:
    """What lies in the folder besides: pulled by its repository, or put there by hand."""
    known = {each.source.inside(folder) for each in KNOWN_MODELS if each.source is not None}
    return sorted(str(each) for each in folder.glob("**/*.gguf") if each not in known)


def _fail(why: str) -> NoReturn:
    click.echo(f"storekeeper models: {why}", err=True)
    sys.exit(1)
