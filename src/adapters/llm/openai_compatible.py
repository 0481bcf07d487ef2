"""Any server that speaks OpenAI's chat completions: OpenAI itself, llama.cpp, vLLM, Ollama, others.

What differs between them, and where that was read, stands in
`docs/how-to/openai-compatible-servers.md`.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

import openai

from adapters.llm.admission import ReportedRateLimits, limits_from_headers
from adapters.llm.failures import retry_after_s
from adapters.llm.openai_refusals import names_in, refusal_in
from adapters.llm.passage_grammar import grammar_of
from adapters.llm.replies import (
    ModelCall,
    ParsedResponse,
    elements,
    encodable,
    members,
    tokens,
    usage_of,
    word,
)
from domain.extraction.calls import FailureKind, TokenUsage
from domain.extraction.confidence import AnswerToken, tokens_of
from ports.language_models import (
    Answer,
    FinishReason,
    LanguageModel,
    ModelProfile,
    Prompt,
    ResponseFormat,
    TimeBudget,
)

_log = logging.getLogger(__name__)


class OpenAICompatibleLanguageModel(LanguageModel):
    """One model behind the chat completions route.

    Args:
        client: its retries are off: there is one retry budget, and it is not the client's.
        profile: provider, model and how it is asked.
        call_timeout_s: longest wait for one answer, in seconds.
        stated: told the rate limits whenever an answer names them.
    """

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        *,
        profile: ModelProfile,
        call_timeout_s: float,
        stated: ReportedRateLimits,
    ) -> None:
        if client.max_retries:
            raise ValueError("the client must not retry: give it max_retries=0")
        self._client = client
        self._profile = profile
        self._call_timeout_s = call_timeout_s
        self._stated = stated
        self._stops_loops = False

    @property
    def profile(self) -> ModelProfile:
        """See the port."""
        return self._profile

    async def complete(self, prompt: Prompt, budget: TimeBudget) -> Answer:
        """See the port; one request, no retry."""
        timeout_s = min(self._call_timeout_s, budget.timeout_s)
        call = ModelCall(self._profile)
        reply = await call.reply(
            self._client.chat.completions.with_raw_response.create(
                timeout=timeout_s,
                **request_body(prompt, self._profile, stops_loops=self._stops_loops),
            ),
            timeout_s=timeout_s,
        )
        self._stated.note(limits_from_headers(reply.headers))
        document = reply.document()
        refused = refusal_in(reply.status, document, reply.words())
        if refused is not None:
            _log.info(
                "%s answered %s (%s)%s",
                self._profile.provider,
                reply.status,
                refused.kind,
                names_in(document),
            )
            hint_s = retry_after_s(reply.headers, now_s=time.time())
            usage = read_completion(document).usage
            raise call.failed(refused.kind, usage, hint_s=hint_s, detail=refused.detail)
        completion = read_completion(document)
        self._stops_loops = self._stops_loops or _is_vllm(document)
        self._check_whole(call, prompt, completion.usage)
        return call.answer(completion)

    def _check_whole(self, call: ModelCall, prompt: Prompt, usage: TokenUsage) -> None:
        """See that the server read all that was sent.

        Raises:
            ModelCallFailed: it cut the prompt to its context and said nothing, as Ollama does. In
                smaller pieces the text can still be read.
        """
        read = usage.input_tokens
        if read >= _FEWEST_IF_CUT and read < (least := least_tokens(prompt)):
            _log.warning(
                "%s read %s tokens of a prompt of at least %s: its context is shorter than the %s"
                " tokens of the table of models",
                self._profile.provider,
                read,
                least,
                self._profile.context_tokens,
            )
            raise call.failed(FailureKind.TOO_LONG, usage, detail=_CUT_OFF)


_CUT_OFF: Final = (
    "{0} read a part of the prompt alone: it cuts what is longer than its context. Raise that (in"
    " Ollama by OLLAMA_CONTEXT_LENGTH), or give the model a row in LLM_MODELS_FILE with its"
    " `context_tokens`."
)
_FEWEST_IF_CUT: Final = 1_000
"""Fewer tokens than these may be what a server had to read anew: some do not count what they had
cached. A context of 2,048 tokens, the shortest that is in use, is cut to 1,027."""
_WORD: Final = re.compile(r"[^\W\d_]+|\d+")

# Up to 4 tokens, 32 times: no record repeats itself like that, and a loop ends after 128 tokens.
_LOOP: Final = {"max_pattern_size": 4, "min_count": 32}
_CUT: Final = frozenset({"length", "repetition", "max_tokens", "model_length"})
_REFUSED: Final = frozenset({"content_filter", "refusal", "safety"})


def request_body(
    prompt: Prompt, profile: ModelProfile, *, stops_loops: bool = False
) -> dict[str, Any]:
    """What is sent to the chat completions route.

    Args:
        prompt: what is asked.
        profile: who is asked, and how.
        stops_loops: the server is known to be vLLM. Others may refuse members of its own.
    """
    grammar = prompt.strings_from and grammar_of(prompt.json_schema, prompt.strings_from)
    request: dict[str, Any] = {
        "model": profile.model,
        "messages": _messages(prompt, profile),
        **({} if grammar else _format(prompt, profile)),
        **profile.parameters,
    }
    if profile.provider == "openai":
        request["max_completion_tokens"] = prompt.max_output_tokens
    else:
        request["max_tokens"] = prompt.max_output_tokens
    own: dict[str, Any] = {}
    if stops_loops:
        # Grammar-bound models can spend all their tokens on blanks between members. vLLM forbids
        # them by a setting of the server alone: it takes a request's `disable_any_whitespace` and
        # ignores it. So it is told to stop at a loop, of white space or of anything else.
        own["repetition_detection"] = dict(_LOOP)
    if prompt.tuned:
        # llama.cpp holds the adapter, and applies it for whoever asks.
        own["lora"] = [{"id": 0, "scale": 1.0}]
    if grammar:
        own["grammar"] = grammar
    if own:
        request["extra_body"] = own
    if prompt.log_probabilities:
        # Without a number, llama.cpp sends the 20 likeliest tokens at each place.
        request |= {"logprobs": True, "top_logprobs": 1}
    return request


def _messages(prompt: Prompt, profile: ModelProfile) -> list[dict[str, str]]:
    messages = [{"role": each.role, "content": each.content} for each in prompt.messages]
    if not profile.system_role:
        system, first, *others = messages
        both = f"{system['content']}\n\n{first['content']}"
        return [{"role": first["role"], "content": both}, *others]
    return messages


def _format(prompt: Prompt, profile: ModelProfile) -> dict[str, Any]:
    schema = dict(prompt.json_schema)
    match profile.response_format:
        case ResponseFormat.JSON_SCHEMA:
            named = {"name": prompt.schema_name, "strict": True, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        case ResponseFormat.JSON_OBJECT:
            return {"response_format": {"type": "json_object", "schema": schema}}
        case ResponseFormat.TEXT:
            return {}


def least_tokens(prompt: Prompt) -> int:
    """Tokens that `prompt` has at least, whoever counts: tokenizers join no two words."""
    return sum(1 for each in prompt.messages for _ in _WORD.finditer(each.content))


def read_completion(document: Any) -> ParsedResponse:
    """The first choice of a chat completion; without a text when the document is none."""
    usage = _usage(members(document).get("usage"))
    choice = members(next(iter(elements(members(document).get("choices"))), None))
    message = choice.get("message")
    if not isinstance(message, Mapping):
        return ParsedResponse(usage=usage)
    text, refused = _said(message.get("content"))
    finish_reason = word(choice.get("finish_reason")).lower()
    if refused or word(message.get("refusal")) or finish_reason in _REFUSED:
        return ParsedResponse(usage=usage, text="", finish=FinishReason.REFUSED)
    if text is None:
        return ParsedResponse(usage=usage)
    finish = FinishReason.TRUNCATED if finish_reason in _CUT else FinishReason.COMPLETE
    if finish is FinishReason.COMPLETE and not text.strip():
        # Grammar and thinking at once: some servers take the whole answer for the thinking.
        text = word(message.get("reasoning_content")) or word(message.get("reasoning")) or text
    text = encodable(text)
    return ParsedResponse(usage=usage, text=text, finish=finish, tokens=_tokens(choice, text))


def _tokens(choice: Mapping[str, Any], text: str) -> tuple[AnswerToken, ...]:
    """The tokens of `text` with their log-probabilities; none where one is odd or missing.

    llama.cpp holds tokens back that end inside a character, and tells the log-probability of the
    last of them alone, with the bytes of them all.
    """
    pieces: list[tuple[bytes, float]] = []
    for entry in map(members, elements(members(choice.get("logprobs")).get("content"))):
        said, log_probability = _bytes(entry), _log_probability(entry)
        if said is None or log_probability is None:
            return ()
        pieces.append((said, log_probability))
    return tokens_of(pieces, text)


def _bytes(entry: Mapping[str, Any]) -> bytes | None:
    """What a token says; None for what says nothing that can be read."""
    given = entry.get("bytes")
    if given is None:  # OpenAI's way for a token that has no bytes of its own
        return encodable(word(entry.get("token"))).encode()
    if isinstance(given, list) and all(type(byte) is int and 0 <= byte <= 255 for byte in given):
        return bytes(given)
    return None


def _log_probability(entry: Mapping[str, Any]) -> float | None:
    """Of a token; None for what can be none."""
    given = entry.get("logprob")
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    return float(given) if isfinite(given) and given <= 0 else None


def _is_vllm(document: Any) -> bool:
    """Whether an answer has marks of vLLM."""
    said = members(document)
    return "kv_transfer_params" in said or word(said.get("system_fingerprint")).startswith("vllm-")


def _said(content: Any) -> tuple[str | None, bool]:
    """The text of a message's content, None when it is no content, and whether it is a refusal.

    Servers of reasoning models send a list of parts, of which only those of text are the answer.
    """
    if content is None:
        return "", False
    if isinstance(content, str):
        return content, False
    if not isinstance(content, list):
        return None, False
    texts: list[str] = []
    for part in content:
        given = {"text": part} if isinstance(part, str) else members(part)
        match given.get("type", "text"):
            case "refusal":
                return "", True
            case "text" | "output_text":
                text = given.get("text")
                if not isinstance(text, str):
                    return None, False
                texts.append(text)
    return "".join(texts), False


def _usage(usage: Any) -> TokenUsage:
    given = members(usage)
    return usage_of(
        sent=given.get("prompt_tokens"),
        cached=members(given.get("prompt_tokens_details")).get("cached_tokens"),
        made=tokens(given.get("completion_tokens")),
    )
