"""The hub of model files and the table of known ones: loaded by the command that asks for them."""

from __future__ import annotations

from adapters.embedded.model_hub import KNOWN_AS_OF, KNOWN_MODELS, KnownModel, find_source, pull

__all__ = ["KNOWN_AS_OF", "KNOWN_MODELS", "KnownModel", "find_source", "pull"]
