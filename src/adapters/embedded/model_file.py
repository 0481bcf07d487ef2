"""A model file of one's own: what it says of itself, and whether llama.cpp can answer with it."""

from __future__ import annotations

import hashlib
import importlib.util
import mmap
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Final

from adapters.embedded.gguf import GgufHeader, GgufTensor, read_header, sampled
from domain.errors import Unavailable
from domain.extraction.prompting import TUNED_PROMPT

_PART: Final = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
_MOST_PARTS: Final = 1_000
_MOST_LAYERS: Final = 4_096
_CHAT: Final = "take a file of a chat model, mostly with Instruct, Chat or it in its name"
_NOT_CHAT: Final = {
    **dict.fromkeys(
        (
            *("bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2"),
            *("jina-bert-v3", "eurobert", "t5encoder", "gemma-embedding", "gemma-embedding2"),
            "llama-embed",
        ),
        "an embedding model, which writes no text",
    ),
    "t5": "an encoder-decoder model, which llama.cpp's server does not serve",
    **dict.fromkeys(
        ("dream", "llada", "llada-moe", "rnd1"),
        "a diffusion model, which llama.cpp's server does not serve",
    ),
    **dict.fromkeys(("wavtokenizer-dec", "qwen3tts", "pockettts"), "a model of speech"),
    **dict.fromkeys(
        ("clip", "mmproj"), "the vision part (mmproj) of a model, which writes no text alone"
    ),
}
_EMBEDDING_POOLINGS: Final = (1, 2, 3, 4)  # mean, cls, last, and rank of rerankers
_NAME_CHARACTERS: Final = 60
_DIGEST_CHARACTERS: Final = 8
_KV_BYTES: Final = 2  # the cache holds float16
_DOWN: Final = ".lora_a"
_UP: Final = ".lora_b"
_EMBEDDING: Final = "token_embd.weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A file that llama.cpp can answer with.

    Attributes:
        path: its first or only part, absolute.
        name: what answers by it are filed under: the file's name and a digest of its header and of
            samples from each of its tensors.
        title: what it calls itself.
        architecture: such as `llama`.
        parameters: how many numbers its tensors hold.
        quantisation: the type that most of its bytes have, such as `Q4_K`.
        licence: as it states; None where it states none.
        trained_tokens: the context that it was trained for.
        weights_bytes: of its tensors.
        kv_bytes: what the cache takes for one token, at most.
        batch_bytes: what one number for each unit of the vocabulary and of the widest layers takes.
        tensors: of all its parts.
    """

    path: Path
    name: str
    title: str
    architecture: str
    parameters: int
    quantisation: str
    licence: str | None
    trained_tokens: int
    weights_bytes: int
    kv_bytes: int
    batch_bytes: int
    tensors: Sequence[GgufTensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterFile:
    """A LoRA adapter.

    Attributes:
        path: absolute.
        name: its digest, as of `ModelFile`.
        tuned_to: the prompt that it was tuned to, which it names; None where every request of the
            model is answered with it.
        architecture: of the models that it fits.
        tensors: its own.
    """

    path: Path
    name: str
    tuned_to: str | None
    architecture: str
    tensors: Sequence[GgufTensor]


def read_model(path: Path) -> ModelFile:
    """What a file says of its model.

    Raises:
        Unavailable: it cannot be read or is damaged, or its model cannot be asked by llama.cpp's
            server as it is installed; the message names the file, the reason and the remedy.
    """
    parts = _parts(path.absolute())
    first = parts[0]
    architecture = _architecture(first)
    _refuse_others(first, architecture)
    tensors = [tensor for part in parts for tensor in part.tensors]
    if not tensors:
        raise Unavailable(f"{path} holds a vocabulary and no weights: {_CHAT}.")
    if first.text("tokenizer.chat_template") is None:
        raise Unavailable(
            f"{path} has no chat template, so that nobody knows how the model is to be asked; it is"
            f" a base model, or was converted without: {_CHAT}."
        )
    if not first.lengths.get("tokenizer.ggml.tokens"):
        raise Unavailable(f"{path} has no vocabulary: {_CHAT}.")
    embedding = _needed(first, f"{architecture}.embedding_length")
    units = first.lengths["tokenizer.ggml.tokens"]
    sizes = Counter[str]()
    for tensor in tensors:
        sizes[tensor.kind] += tensor.size
    named = _PART.fullmatch(first.path.name)
    stem = named["name"] if named else first.path.name.removesuffix(".gguf")
    return ModelFile(
        path=first.path,
        name=f"{_plain(stem)}@{_digest(parts)}",
        title=first.text("general.name") or stem,
        architecture=architecture,
        parameters=sum(prod(tensor.shape) for tensor in tensors),
        quantisation=sizes.most_common(1)[0][0],
        licence=first.text("general.license") or first.text("general.license.name"),
        trained_tokens=_needed(first, f"{architecture}.context_length"),
        weights_bytes=sizes.total(),
        kv_bytes=_kv_bytes(first, architecture, embedding),
        batch_bytes=4 * (units + 8 * embedding),
        tensors=tensors,
    )


def read_adapter(path: Path) -> AdapterFile:
    """What a file says of its adapter.

    Raises:
        Unavailable: it cannot be read, is damaged or holds no LoRA adapter.
    """
    header = read_header(path.absolute())
    kind = header.text("general.type")
    if kind != "adapter":
        what = "a model" if kind in {None, "model"} else f"of the type {kind}"
        raise Unavailable(f"{path} is no adapter but {what}: name a LoRA adapter in GGUF form.")
    technique = header.text("adapter.type")
    if technique != "lora":
        raise Unavailable(f"{path} is an adapter of the type {technique}: llama.cpp applies LoRA.")
    tuned_to = header.text("storekeeper.prompt")
    if tuned_to not in {None, TUNED_PROMPT}:
        raise Unavailable(
            f"{path} was tuned to the prompt {tuned_to}, and this version of storekeeper asks with"
            f" {TUNED_PROMPT}: take the version that it was made for, or tune it anew."
        )
    return AdapterFile(
        path=header.path,
        name=_digest([header]),
        tuned_to=tuned_to,
        architecture=_architecture(header),
        tensors=header.tensors,
    )


def check_fit(adapter: AdapterFile, model: ModelFile) -> None:
    """See that an adapter was made for a model of this shape.

    Raises:
        Unavailable: it was made for another.
    """

    def misfit(why: str) -> Unavailable:
        return Unavailable(
            f"{adapter.path} was made for another model than {model.path}: {why}. Name the model"
            " that it was tuned on, or start without an adapter."
        )

    if adapter.architecture != model.architecture:
        raise misfit(f"for the architecture {adapter.architecture}, not {model.architecture}")
    bases = {tensor.name: _matrix(tensor) for tensor in model.tensors}
    own = {tensor.name: _matrix(tensor) for tensor in adapter.tensors}
    for name in own:
        base, suffix = name[: -len(_DOWN)], name[-len(_DOWN) :]
        if suffix not in {_DOWN, _UP}:
            if not name.endswith("norm.weight"):  # llama.cpp leaves these out
                raise misfit(f"its tensor {name} belongs to no LoRA adapter")
            continue
        if base not in bases:
            raise misfit(f"{base} is not in the model")
        down, up = own.get(base + _DOWN), own.get(base + _UP)
        if down is None or up is None:
            raise misfit(f"its tensor {name} has no counterpart")
        whole = (up[1], down[1]) if base == _EMBEDDING else (down[0], up[1])
        if bases[base] != whole or (base != _EMBEDDING and down[1] != up[0]):
            raise misfit(f"{base} has the shape {_sides(bases[base])} there")


def _matrix(tensor: GgufTensor) -> tuple[int, int]:
    """The sides of a matrix, of each of a stack of them, or of a vector."""
    inner, outer = (*tensor.shape, 1)[:2]
    return inner, outer


def _sides(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _parts(path: Path) -> Sequence[GgufHeader]:
    """The headers of a file and of those that belong to it, the first part first."""
    first = read_header(path)
    count = first.integer("split.count") or 1
    if count == 1:
        return [first]
    named = _PART.fullmatch(path.name)
    if named is None or int(named["count"]) != count or count > _MOST_PARTS:
        raise Unavailable(
            f"{path} is one of {count} parts, and llama.cpp finds the others by its name alone:"
            f" name them NAME-00001-of-{count:05}.gguf and so on, as they were."
        )
    files = [
        path.with_name(f"{named['name']}-{number:05}-of-{count:05}.gguf")
        for number in range(1, count + 1)
    ]
    if path != files[0]:
        raise Unavailable(f"{path} is part {named['number']} of {count}: name {files[0]}.")
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise Unavailable(
            f"{path} is one of {count} parts, and {missing[0]} is not beside it: download all."
        )
    return [first, *map(read_header, files[1:])]


def _architecture(header: GgufHeader) -> str:
    found = header.text("general.architecture")
    if found is None:
        raise Unavailable(
            f"{header.path} names no architecture (general.architecture): it is no model of"
            " llama.cpp."
        )
    return found


def _refuse_others(header: GgufHeader, architecture: str) -> None:
    path, kind = header.path, header.text("general.type")
    if kind == "adapter":
        raise Unavailable(
            f"{path} is an adapter and no model: name the model that it was tuned on, and this file"
            " with `--adapter` or LOCAL_LLM_ADAPTER."
        )
    what = _NOT_CHAT.get(kind or "") or _NOT_CHAT.get(architecture)
    if what is None and (
        header.integer(f"{architecture}.pooling_type") in _EMBEDDING_POOLINGS
        or header.values.get(f"{architecture}.attention.causal") is False
    ):
        what = "an embedding model or reranker, which writes no text"
    if what is not None:
        raise Unavailable(f"{path} is {what}: {_CHAT}.")
    if kind not in {None, "model"}:
        raise Unavailable(f"{path} is of the type {kind}: {_CHAT}.")
    if not _known_to_llama_cpp(architecture):
        raise Unavailable(
            f"{path} has the architecture {architecture[:60]!r}, which llama.cpp as it is installed"
            " here does not know: take another model (`storekeeper models list`), or a newer"
            " xllamacpp."
        )


@cache
def _known_to_llama_cpp(architecture: str) -> bool:
    """Whether the installed llama.cpp has the name; True where none is installed.

    It tells its architectures to nobody, and has more with each release: so the name is looked for
    among the texts of its program. One that stands there for another reason is refused by the
    server itself.
    """
    if re.fullmatch(r"[a-z0-9_.-]{2,60}", architecture) is None:
        return False
    spec = importlib.util.find_spec("xllamacpp")
    folders = spec.submodule_search_locations if spec else None
    for file in Path(next(iter(folders))).glob("xllamacpp*.so") if folders else ():
        with (
            file.open("rb") as program,
            mmap.mmap(program.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            return content.find(architecture.encode() + b"\0") >= 0
    return True


def _needed(header: GgufHeader, key: str, most: int = 1 << 31) -> int:
    found = header.integer(key)
    if found is None or not 1 <= found <= most:
        raise Unavailable(f"{header.path} states no {key} that makes sense: download it again.")
    return found


def _kv_bytes(header: GgufHeader, architecture: str, embedding: int) -> int:
    """The keys and values of one token in all layers, as if each saw the whole context."""
    layers = _needed(header, f"{architecture}.block_count", _MOST_LAYERS)

    def counted(key: str) -> Sequence[int] | None:
        """One number for each layer; most models state one for all."""
        many = header.numbers.get(f"{architecture}.{key}")
        if many:
            return [int(each) for each in many if isinstance(each, int)]
        one = header.integer(f"{architecture}.{key}")
        return None if one is None else [one] * layers

    heads = counted("attention.head_count") or [0] * layers
    kv_heads = counted("attention.head_count_kv") or heads
    width = embedding // max(1, *heads)
    keys = header.integer(f"{architecture}.attention.key_length") or width
    values = header.integer(f"{architecture}.attention.value_length") or width
    return sum(kv_heads) * (keys + values) * _KV_BYTES


def _digest(parts: Sequence[GgufHeader]) -> str:
    """Tells files apart in a moment, where a hash of all would take many seconds at each start."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(str(part.size).encode())
        for piece in sampled(part):
            digest.update(piece)
    return digest.hexdigest()[:_DIGEST_CHARACTERS]


def _plain(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem)[:_NAME_CHARACTERS].strip("-.") or "model"
