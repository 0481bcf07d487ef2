"""Writes the tuned weights as one model, for servers that take no adapter of llama.cpp, as vLLM."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from train import LAYERS
from transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> None:
    """Add the checkpoint's matrices to the weights, and write a folder as Hugging Face has them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="folder of the base model")
    parser.add_argument("--checkpoint", type=Path, required=True, help="of train.py")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.parse_args()
    matrices = torch.load(options.checkpoint, weights_only=True)["adapter"]
    rank = next(each.shape[0] for name, each in matrices.items() if "lora_A" in name)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(options.weights, dtype=torch.float32),
        LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(LAYERS)),
    )
    set_peft_model_state_dict(model, matrices)
    model.merge_and_unload().save_pretrained(options.out)
    AutoTokenizer.from_pretrained(options.weights).save_pretrained(options.out)
    print(f"{options.out}: {options.weights} with {options.checkpoint}")


if __name__ == "__main__":
    main()
