"""Sends events over HTTPS, to an address that was looked at before it is connected to.

The name is resolved here, once for each attempt, and the connection is made to that very address:
a name server that gives another one at the next question changes nothing.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address
from typing import Final, TypeAlias

import httpx2

from domain.webhooks.addresses import (
    Address,
    Network,
    WebhookUrl,
    address_problem,
    read_webhook_url,
)
from domain.webhooks.model import MAX_ENDPOINTS, AttemptResult
from ports.webhooks import WebhookSender

ATTEMPT_S: Final = 15.0
"""Longest time from the question for the address to the end of the answer."""
_CONNECT_S: Final = 5.0
_MOST_ADDRESSES: Final = 4
_READ_BYTES: Final = 1_024
"""Of the answer to what was not taken no more is read, and nothing of another."""
_SHOWN_CHARACTERS: Final = 200

# A thread for each endpoint that may be asked for at once: the loop's own few would soon all wait
# for one name server that does not answer.
_RESOLVERS: Final = ThreadPoolExecutor(MAX_ENDPOINTS, thread_name_prefix="webhook-name")

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[Address]]]


async def resolve(host: str, port: int) -> Sequence[Address]:
    """The addresses of a name, each once, as the system finds them.

    Raises:
        OSError: it has none, or nobody could say.
    """
    asking = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, asking)
    # A scope (fe80::1%eth0) belongs to link-local addresses alone, which are never public.
    texts = [str(entry[4][0]).partition("%")[0] for entry in found]
    return [ip_address(text) for text in dict.fromkeys(texts)]


class HttpWebhookSender(WebhookSender):
    """One connection for each attempt, kept for no other one.

    Args:
        allowed: networks that are let in though they are not public.
        resolve: gives the addresses of a name.
        tls: what certificates are held to; those of the system if not given.
        attempt_s: longest time of an attempt.
    """

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        attempt_s: float = ATTEMPT_S,
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._tls = tls or httpx2.create_ssl_context()
        self._attempt_s = attempt_s

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> AttemptResult:
        """See the port."""
        try:
            parts = read_webhook_url(url)
        except ValueError as error:
            return AttemptResult(error=f"the URL {error}")
        try:
            async with asyncio.timeout(self._attempt_s):
                return await self._send(parts, headers, body)
        except TimeoutError:
            return AttemptResult(error=f"gave no whole answer within {self._attempt_s:g} s")

    async def _send(
        self, parts: WebhookUrl, headers: Mapping[str, str], body: bytes
    ) -> AttemptResult:
        try:
            addresses = await self._addresses(parts)
        except OSError:
            return AttemptResult(error="its name has no address")
        for address in addresses:
            # Of a name with several, one that is not public is a trap or a mistake: none is used.
            if problem := address_problem(address, parts.scheme, self._allowed):
                return AttemptResult(error=f"the URL {problem}")
        result = AttemptResult(error="its name has no address")
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                return await self._post(parts, address, headers, body)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                result = AttemptResult(error=_why_unreachable(error))
                if isinstance(_cause(error), ssl.SSLError):
                    break
            except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
                return AttemptResult(error=f"broke off ({type(error).__name__})")
        return result

    async def _addresses(self, parts: WebhookUrl) -> Sequence[Address]:
        written = parts.address
        return [written] if written else await self._resolve(parts.host, parts.port)

    async def _post(
        self, parts: WebhookUrl, address: Address, headers: Mapping[str, str], body: bytes
    ) -> AttemptResult:
        place = f"[{address}]" if address.version == 6 else str(address)
        async with (
            # A client of its own: no other endpoint may get this connection, and no proxy of the
            # environment, which would ask for the address again, stands between.
            httpx2.AsyncClient(
                verify=self._tls,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx2.Timeout(self._attempt_s, connect=_CONNECT_S),
            ) as client,
            client.stream(
                "POST",
                f"{parts.scheme}://{place}:{parts.port}{parts.target}",
                headers={
                    **headers,
                    "Host": parts.authority,
                    "Content-Type": "application/json",
                    "User-Agent": "Storekeeper-Webhooks",
                    # Nothing is unpacked: a few bytes could become very many.
                    "Accept-Encoding": "identity",
                    "Connection": "close",
                },
                content=body,
                # The name that the certificate has to be for, and that is asked for (SNI).
                extensions={"sni_hostname": parts.host},
            ) as response,
        ):
            begun = b"" if response.is_success else await _beginning(response)
        return AttemptResult(
            status=response.status_code,
            response=_shown(begun),
            retry_after_s=_retry_after_s(response.headers.get("retry-after", "")),
        )


async def _beginning(response: httpx2.Response) -> bytes:
    """The first bytes of an answer, not unpacked."""
    begun = bytearray()
    async for chunk in response.aiter_raw():
        begun += chunk
        if len(begun) >= _READ_BYTES:
            break
    return bytes(begun)


def _cause(error: BaseException) -> BaseException:
    """What an error of the client stands for, at its bottom."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _why_unreachable(error: Exception) -> str:
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return "speaks no TLS that is understood"
    return "cannot be connected to"


def _retry_after_s(value: str) -> float | None:
    """Seconds of `Retry-After`; its other form, a date, is left to the schedule."""
    return float(value) if re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) else None


def _shown(begun: bytes) -> str | None:
    """The beginning of an answer in printable characters; None of an empty one."""
    text = " ".join(begun.decode(errors="replace").split())
    return "".join(each for each in text if each.isprintable())[:_SHOWN_CHARACTERS] or None
