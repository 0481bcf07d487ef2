"""Shows whether llama.cpp with the adapter says what the tuned model of torch says.

The next token's log-probabilities of the first texts, by both: the median difference is that of
two ways to round (a tenth or so); with rows in a wrong order it is whole units.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import urllib.request
from pathlib import Path
from typing import Any

import torch
import xllamacpp
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from train import LAYERS
from transformers import AutoModelForCausalLM, AutoTokenizer

TOP = 10
MOST_APART = 0.25


def main() -> None:
    """Print the differences; exits with 1 when they are more than rounding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=Path, required=True, help="the base weights")
    parser.add_argument("--weights", type=Path, required=True, help="folder of the base model")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--n", type=int, default=6)
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.texts.read_text().splitlines()[: options.n]]
    prompts = [
        "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in row["messages"])
        + f"<|im_start|>assistant\n{row['answer'][: len(row['answer']) // 2]}"
        for row in rows
    ]
    ours = [_by_torch(options, prompt) for prompt in prompts]
    server = _server(options)
    apart: list[float] = []
    for prompt, expected in zip(prompts, ours, strict=True):
        for token, logarithm in _by_llama(server.listening_address, prompt):
            apart.append(abs(logarithm - expected[token]))
    median = statistics.median(apart)
    print(f"{len(apart)} log-probabilities: median difference {median:.3f}, most {max(apart):.3f}")
    sys.stdout.flush()
    sys.exit(median > MOST_APART)


_LOADED: dict[str, Any] = {}


def _by_torch(options: argparse.Namespace, prompt: str) -> list[float]:
    if not _LOADED:
        saved = torch.load(options.checkpoint, weights_only=True)["adapter"]
        rank = next(value.shape[0] for name, value in saved.items() if "lora_A" in name)
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(options.weights, dtype=torch.float32),
            LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(LAYERS)),
        )
        set_peft_model_state_dict(model, saved)
        _LOADED.update(model=model.eval(), tokenizer=AutoTokenizer.from_pretrained(options.weights))
    ids = _LOADED["tokenizer"](prompt, add_special_tokens=False, return_tensors="pt").input_ids
    with torch.no_grad():
        logits = _LOADED["model"](ids).logits[0, -1]
    return torch.log_softmax(logits, -1).tolist()


def _server(options: argparse.Namespace) -> xllamacpp.Server:
    chosen = xllamacpp.CommonParams()
    chosen.model.path = str(options.gguf)
    chosen.hostnames, chosen.port = ["127.0.0.1"], 0
    chosen.n_ctx, chosen.n_parallel = 2048, 1
    chosen.warmup = chosen.ui = False
    chosen.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(options.adapter), 1.0)]
    return xllamacpp.Server(chosen)


def _by_llama(address: str, prompt: str) -> list[tuple[int, float]]:
    body = {
        "prompt": prompt,
        "n_predict": 1,
        "n_probs": TOP,
        "temperature": 0,
        "cache_prompt": False,
    }
    request = urllib.request.Request(
        f"{address}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as reply:
        answer = json.load(reply)
    return [
        (each["id"], each["logprob"])
        for each in answer["completion_probabilities"][0]["top_logprobs"]
    ]


if __name__ == "__main__":
    main()
