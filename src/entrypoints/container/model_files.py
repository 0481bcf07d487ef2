"""Model files of one's own: what the settings name, and how it is served here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.embedded.model_file import (
    AdapterFile,
    ModelFile,
    check_fit,
    read_adapter,
    read_model,
)
from adapters.embedded.model_plan import (
    ServerPlan,
    free_memory,
    gigabytes,
    gpu_devices,
    plan_server,
    usable_cores,
)
from adapters.embedded.model_server import (
    ADAPTER,
    ServedModel,
    check_model_server,
    weights_file,
)
from adapters.llm.capabilities import OwnRows, profile_of_file
from domain.extraction.prompting import TUNED_PROMPT
from entrypoints.settings import LocalModelAdapter, ModelCommandSettings
from ports.language_models import ModelProfile

__all__ = [
    "LocalModel",
    "ModelFile",
    "ServedModel",
    "ServerPlan",
    "gigabytes",
    "gpu_devices",
    "local_model",
    "plan_here",
    "profile_here",
    "read_model",
    "served_model",
    "usable_cores",
    "weights_file",
]

_CAUTIOUS_CONTEXT_TOKENS: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """The local model that the settings name.

    Attributes:
        name: what its answers are filed under: another file has another.
        file: its own; None for the embedded weights, or a server that is known by its name.
        adapter: a file of somebody's own; None for none, and for the one that comes along.
        tuned_to: the prompt that its adapter was tuned to; None for none.
    """

    name: str
    file: ModelFile | None
    adapter: AdapterFile | None
    tuned_to: str | None


def local_model(settings: ModelCommandSettings) -> LocalModel:
    """Read the files that the settings name.

    Raises:
        Unavailable: one of them cannot be used; the message says why, and what to do.
    """
    chosen = settings.local_llm_adapter
    file = None if settings.local_llm_file is None else read_model(settings.local_llm_file)
    adapter = read_adapter(chosen) if isinstance(chosen, Path) else None
    tuned_to = TUNED_PROMPT if chosen is LocalModelAdapter.FIELDS else None
    if file is not None and chosen is not LocalModelAdapter.NONE:
        check_fit(adapter or read_adapter(ADAPTER), file)
    name = settings.local_llm_model if file is None else file.name
    if adapter is not None:
        name, tuned_to = f"{name}+{adapter.name}", adapter.tuned_to
    return LocalModel(name=name, file=file, adapter=adapter, tuned_to=tuned_to)


def profile_here(
    local: LocalModel, settings: ModelCommandSettings, own: OwnRows
) -> ModelProfile | None:
    """How the model of a file is asked; None of one that is known by its name.

    Args:
        local: the model.
        settings: how long its prompt and answer may be.
        own: the rows of LLM_MODELS_FILE.
    """
    if local.file is None:
        return None
    chosen = settings.local_llm_context_tokens or _CAUTIOUS_CONTEXT_TOKENS
    return profile_of_file(
        local.name,
        parameters=local.file.parameters,
        context_tokens=min(chosen, local.file.trained_tokens),
        adapter=local.tuned_to,
        own=own,
    )


def plan_here(file: ModelFile, settings: ModelCommandSettings) -> ServerPlan:
    """How a model is served on this machine, as it is now.

    Raises:
        Unavailable: it does not fit.
    """
    return plan_server(
        file,
        cores=usable_cores(),
        free_bytes=free_memory(),
        context_tokens=settings.local_llm_context_tokens,
        gpu_bytes=lambda: sum(each.free_bytes for each in gpu_devices()),
    )


def served_model(
    local: LocalModel, plan: ServerPlan | None, settings: ModelCommandSettings
) -> ServedModel:
    """What the server of the local model answers with.

    Args:
        local: the model.
        plan: of a file; None for the embedded weights, whose plan is fixed.
        settings: which adapter it holds.

    Raises:
        Unavailable: a wheel is not installed, or a file cannot be served.
    """
    adapter = local.adapter.path if local.adapter is not None else None
    if settings.local_llm_adapter is LocalModelAdapter.FIELDS:
        adapter = ADAPTER
    served = ServedModel(adapter=adapter, on_request=local.tuned_to is not None)
    if local.file is not None and plan is not None:
        served = ServedModel(
            weights=local.file.path,
            adapter=adapter,
            on_request=local.tuned_to is not None,
            slots=plan.slots,
            context_tokens=plan.context_tokens,
        )
    check_model_server(served)
    if local.file is None and local.adapter is not None:
        check_fit(local.adapter, read_model(weights_file()))
    return served
