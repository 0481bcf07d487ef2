"""Writes a checkpoint as the adapter file that llama.cpp loads beside the unchanged weights."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import gguf
import numpy as np
import torch

LAYERS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
SCALE = 2.0
"""What the product of a pair of matrices is multiplied by: alpha over rank."""
HEADS = {"attn_q": 9, "attn_k": 3}
"""Of SmolLM2-135M."""


def main() -> None:
    """Write the file and say its SHA-256."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--prompt", default="fields-3", help="that the texts were written with")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    tensors = torch.load(options.checkpoint, weights_only=True)["adapter"]
    rank = next(value.shape[0] for name, value in tensors.items() if "lora_A" in name)
    writer = gguf.GGUFWriter(options.out, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, SCALE * rank)
    writer.add_name("storekeeper fields")
    writer.add_license("apache-2.0")
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, "SmolLM2-135M-Instruct")
    writer.add_string("storekeeper.prompt", options.prompt)
    for name, value in sorted(tensors.items()):
        _, _, place = name.partition("layers.")
        block, _, rest = place.partition(".")
        layer, _, which = rest.partition(".lora_")
        short = LAYERS[layer]
        array = value.to(torch.float32).numpy()
        if which.startswith("B") and short in HEADS:
            array = interleaved(array, HEADS[short])
        writer.add_tensor(
            f"blk.{block}.{short}.weight.lora_{which[0].lower()}", array.astype(np.float16)
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    content = options.out.read_bytes()
    print(f"{options.out}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


def read_adapter(file: Path) -> dict[str, torch.Tensor]:
    """What `main` wrote to a file, by the names that peft has for it."""
    layers = {short: layer for layer, short in LAYERS.items()}
    tensors = {}
    for tensor in gguf.GGUFReader(file).tensors:
        _, block, short, _, which = tensor.name.split(".")
        array = np.array(tensor.data, dtype=np.float32)
        if which == "lora_b" and short in HEADS:
            array = separated(array, HEADS[short])
        name = (
            f"base_model.model.model.layers.{block}.{layers[short]}.{which[:-1]}{which[-1].upper()}"
        )
        tensors[f"{name}.weight"] = torch.from_numpy(array)
    return tensors


def interleaved(rows: np.ndarray, heads: int) -> np.ndarray:
    """The output rows of q or k in the order in which llama.cpp keeps those of its weights.

    Its rotary embedding turns neighbours, the one of the trained model turns halves of a head.
    """
    return (
        rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
        .swapaxes(1, 2)
        .reshape(rows.shape)
    )


def separated(rows: np.ndarray, heads: int) -> np.ndarray:
    """`interleaved` undone."""
    return (
        rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
        .swapaxes(1, 2)
        .reshape(rows.shape)
    )


if __name__ == "__main__":
    main()
