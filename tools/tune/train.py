"""Tunes the weights to the texts: low-rank matrices beside each linear layer, by torch and peft.

Runs in an environment of its own (requirements.txt); it reads what `texts.py` wrote, and can be
stopped at any time and started again: it goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import torch
from adapter import SCALE, read_adapter
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
IGNORED = -100
LONGEST_TOKENS = 360


def main() -> None:
    """Tune until all texts were seen or the time is up."""
    options = _options()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads or os.cpu_count() or 1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(options.weights)
    precision = getattr(torch, options.precision) if options.precision else _fastest(device)
    print(f"numbers of {precision}", flush=True)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(options.weights, dtype=precision),
        LoraConfig(
            r=options.rank,
            lora_alpha=int(SCALE * options.rank),
            lora_dropout=0.0,
            target_modules=list(LAYERS),
        ),
    ).to(device)
    trained = [each for each in model.parameters() if each.requires_grad]
    if any(each.dtype != torch.float32 for each in trained):
        raise SystemExit("peft no longer keeps what is trained in float32")
    if options.adapter:
        tensors = read_adapter(options.adapter)
        if set(tensors) != set(get_peft_model_state_dict(model)):
            raise SystemExit(f"{options.adapter} is of other layers")
        set_peft_model_state_dict(model, tensors)
    optimizer = torch.optim.AdamW(trained, lr=options.rate, weight_decay=0.0)
    state = {"step": 0, "seen": 0, "tokens": 0, "seconds": 0.0}
    checkpoint = options.out / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        set_peft_model_state_dict(model, saved["adapter"])
        optimizer.load_state_dict(saved["optimizer"])
        state = saved["state"]
        print(f"going on from step {state['step']}", flush=True)

    def save(path: Path) -> None:
        partial = path.with_suffix(".part")
        saved = {
            "adapter": get_peft_model_state_dict(model),
            "optimizer": optimizer.state_dict(),
            "state": state,
        }
        torch.save(saved, partial)
        partial.replace(path)

    batches = _batches(options.texts, tokenizer, options.batch, options.seed)
    print(f"{len(batches)} batches", flush=True)
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    signal.signal(signal.SIGINT, lambda *_: stopping.append(True))
    model.train()
    began = time.monotonic() - state["seconds"]
    losses: list[float] = []
    while state["step"] < len(batches) and state["seconds"] < options.seconds and not stopping:
        batch = batches[state["step"]]
        done = max(state["step"] / len(batches), state["seconds"] / options.seconds)
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1.0, (state["step"] + 1) / 20) * (1 - 0.95 * done)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=precision is torch.bfloat16):
            loss = _loss(model.base_model.model, batch, device)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        state["step"] += 1
        state["seen"] += len(batch)
        state["tokens"] += sum(len(text) + len(answer) for _, text, answer in batch)
        state["seconds"] = time.monotonic() - began
        if state["step"] % 20 == 0:
            mean = sum(losses[-20:]) / 20
            print(f"{state} loss {mean:.3f}", flush=True)
        if state["step"] % options.save_every == 0:
            save(checkpoint)
            save(options.out / f"step-{state['step']:05}.pt")
    save(checkpoint)
    save(options.out / ("stopped.pt" if stopping else "final.pt"))
    print(f"{'stopped' if stopping else 'done'}: {state}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="folder of the base model")
    parser.add_argument("--texts", type=Path, required=True, help="NDJSON of texts.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--adapter", type=Path, help="GGUF file of the same rank to start from")
    parser.add_argument("--seconds", type=float, default=9_000, help="longest time")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        help="of the weights and of what is computed; what is trained stays in float32"
        " [default: the faster one here]",
    )
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="[default: the cores]")
    parser.add_argument("--save-every", type=int, default=100, help="steps")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def _fastest(device: str) -> torch.dtype:
    """A processor may have instructions for numbers of 16 bits, which may be fast or slow."""
    if device == "cuda":
        return torch.bfloat16
    took: dict[torch.dtype, float] = {}
    for each in (torch.float32, torch.bfloat16):
        matrix = torch.randn(1024, 1024, dtype=each)
        torch.nn.functional.linear(matrix, matrix)
        began = time.monotonic()
        for _ in range(10):
            torch.nn.functional.linear(matrix, matrix)
        took[each] = time.monotonic() - began
    return min(took, key=took.__getitem__)


Row = tuple[list[int], list[int], list[int]]
"""Tokens of what all texts of a schema begin with, of the text, and of the answer."""


def _batches(file: Path, tokenizer: Any, size: int, seed: int) -> list[list[Row]]:
    """Rows of about one length and, where there are enough, of one schema, in random order."""
    rows: list[Row] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        example = json.loads(line)
        system, text = (
            f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in example["messages"]
        )
        encoded = [
            tokenizer(part, add_special_tokens=False).input_ids
            for part in (system, f"{text}<|im_start|>assistant\n", f"{example['answer']}<|im_end|>")
        ]
        if sum(map(len, encoded)) <= LONGEST_TOKENS:
            rows.append((encoded[0], encoded[1], encoded[2]))
    by_system: dict[tuple[int, ...], list[Row]] = {}
    for row in rows:
        by_system.setdefault(tuple(row[0]), []).append(row)
    rng = random.Random(seed)
    batches: list[list[Row]] = []
    single: list[Row] = []
    for alike in by_system.values():
        if len(alike) < size:
            single += alike
        else:
            batches += _by_length(rng, alike, size)
    batches += _by_length(rng, single, size)
    rng.shuffle(batches)
    return batches


def _by_length(rng: random.Random, rows: list[Row], size: int) -> list[list[Row]]:
    """Sorted within stretches of 32 batches, so that little is padding and chance remains."""
    rng.shuffle(rows)
    found = []
    for start in range(0, len(rows), 32 * size):
        stretch = sorted(rows[start : start + 32 * size], key=lambda row: sum(map(len, row)))
        found += [stretch[at : at + size] for at in range(0, len(stretch), size)]
    return found


def _loss(model: Any, batch: list[Row], device: str) -> torch.Tensor:
    """Of the answers' tokens; what all rows begin with is computed once."""
    prefix = batch[0][0]
    past = None
    if all(row[0] == prefix for row in batch):
        past = DynamicCache()
        model.model(
            input_ids=torch.tensor([prefix], device=device), past_key_values=past, use_cache=True
        )
        past.batch_repeat_interleave(len(batch))
        sequences = [(text + answer, len(text)) for _, text, answer in batch]
    else:
        prefix = []
        sequences = [
            (system + text + answer, len(system) + len(text)) for system, text, answer in batch
        ]
    longest = max(len(ids) for ids, _ in sequences)
    ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in sequences], device=device)
    mask = torch.tensor(
        [[1] * (len(prefix) + len(ids)) + [0] * (longest - len(ids)) for ids, _ in sequences],
        device=device,
    )
    wanted = torch.tensor(
        [
            [IGNORED] * said + ids[said:] + [IGNORED] * (longest - len(ids))
            for ids, said in sequences
        ],
        device=device,
    )
    hidden = model.model(
        input_ids=ids, attention_mask=mask, past_key_values=past, use_cache=past is not None
    ).last_hidden_state
    counts = wanted[:, 1:] != IGNORED
    logits = model.lm_head(hidden[:, :-1][counts])
    return torch.nn.functional.cross_entropy(logits, wanted[:, 1:][counts])


if __name__ == "__main__":
    main()
