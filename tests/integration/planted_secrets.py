"""A secret of its own in each setting that holds one, and the search for them in what came out."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from entrypoints.settings import Settings

_USUAL: Final = {
    "database_url": "postgresql://shop@127.0.0.1:9/shop",
    "redis_url": "redis://127.0.0.1:9/0",
}


_TAKES_NO_PASSWORD: Final = {"jwt_jwks_url"}
"""URLs that are refused with a password in them, and so hold none where a command goes on."""


def _holds_secret(name: str) -> bool:
    return "SecretStr" in str(Settings.model_fields[name].annotation)


def _holds_url(name: str) -> bool:
    return name.endswith("_url")


FORMER_NAMES: Final = {
    name: f"openai_compatible_{name.removeprefix('vllm_')}"
    for name in Settings.model_fields
    if name.startswith("vllm_") and (_holds_secret(name) or _holds_url(name))
}
"""Settings by a former name, with the name of today; where both are set they have to agree."""

SECRET_SETTINGS: Final = tuple(
    name
    for name in Settings.model_fields
    if (_holds_secret(name) or _holds_url(name)) and name not in FORMER_NAMES
)
"""Settings that hold a secret, or a URL, which may hold a password."""


@dataclass
class Plants:
    """Secrets by the setting that they are planted in; none occurs anywhere else.

    Attributes:
        planted: the secrets themselves.
    """

    planted: dict[str, str] = field(
        default_factory=lambda: {
            # Long enough for every rule, with letters that are written otherwise in URLs.
            name: f"Pl4nt/{secrets.token_hex(16)}+={name[:3]}"
            for name in (*SECRET_SETTINGS, *FORMER_NAMES)
        }
    )

    def value(self, name: str, address: str | None = None) -> str:
        """What the environment says: the secret, or a URL with it as the password.

        Args:
            name: of the setting.
            address: a URL without a password; None takes one where nothing listens.
        """
        if not _holds_url(name):
            return self.planted[name]
        parts = urlsplit(address or _USUAL.get(name, "http://127.0.0.1:9/v1"))
        password = quote(self.planted[name], safe="")
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{parts.username or 'shop'}:{password}@{host}"))

    def environment(self, **addresses: str) -> dict[str, str]:
        """Every planted setting, by its name in capitals."""
        return {
            name.upper(): self.value(name, addresses.get(name))
            for name in SECRET_SETTINGS
            if name not in _TAKES_NO_PASSWORD
        }

    def found(self, text: str | bytes, *, where: str) -> Iterator[str]:
        """Which secrets stand in a text, in any of the forms that they travel in."""
        content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        for name, secret in self.planted.items():
            for form, written in _forms(secret).items():
                if (at := content.find(written)) >= 0:
                    around = content[max(0, at - 120) : at + len(written) + 60]
                    yield f"{name.upper()} {form} in {where}: {around!r}"

    def found_below(self, folder: Path) -> Iterator[str]:
        """The same of every file of a folder."""
        for file in folder.rglob("*"):
            if file.is_file() and not file.is_symlink():
                try:
                    content = file.read_bytes()
                except FileNotFoundError:  # a server that is at work there has replaced it
                    continue
                yield from self.found(content, where=str(file.relative_to(folder)))

    def adopt(self, secrets_by_name: Mapping[str, str]) -> None:
        """Take secrets that something else has drawn, such as a server's real password."""
        self.planted |= secrets_by_name


def _forms(secret: str) -> Mapping[str, bytes]:
    """How a secret may stand in a text.

    Its random part is the same in clear, percent-encoded and escaped for JSON or a terminal.
    """
    raw = secret.encode()
    drawn = (re.findall(rb"[0-9a-f]{32,}", raw) or [raw])[0]
    forms = {"in clear or percent-encoded": drawn}
    for shift in range(3):
        # Of what stands before it, base64 shows in the first characters alone.
        encoded = base64.b64encode(b"\0" * shift + drawn)[4 if shift else 0 : -4]
        forms[f"in base64 ({shift})"] = encoded
    return forms
