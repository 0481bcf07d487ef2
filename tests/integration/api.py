"""The application behind a real uvicorn over TLS, in the tests' own event loop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import trustme
import uvicorn

from entrypoints.addresses import in_either_form
from entrypoints.http.app import build_app
from entrypoints.http.protocol.connection import HttpProtocol
from entrypoints.settings import Settings, load_settings
from tests.integration.service_role import service_url

_SECRET = "a secret of forty characters, for the tests"


def settings_for(database_url: str, redis_url: str, **more: object) -> Settings:
    """Settings from these values alone; the service has a role of its own where there is one.

    Requests are not limited unless a test says so: the keys of all databases begin with 1, and
    would have their buckets in one Valkey in common.
    """
    more.setdefault("rate_limits", "off")
    return load_settings(
        _env_file=None,
        database_url=service_url(database_url),
        redis_url=redis_url,
        secret_key=_SECRET,
        **more,
    )


@asynccontextmanager
async def serving(
    settings: Settings, directory: Path, *, port: int = 0
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose requests go over TLS, verified against a CA of this run.

    The CA's certificate is left in `directory` as `ca.pem`, for programs that are started there; a
    second server of the same directory shows the same certificate.
    """
    ca_file, key_file, chain_file = (
        directory / name for name in ("ca.pem", "server.key", "server.pem")
    )
    if not ca_file.exists():
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        certificate.private_key_pem.write_to_path(str(key_file))
        authority.cert_pem.write_to_path(str(ca_file))
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(str(chain_file), append=True)
    server = uvicorn.Server(
        uvicorn.Config(
            build_app(settings),
            host="127.0.0.1",
            port=port,
            http=HttpProtocol,
            ws="none",
            ssl_keyfile=str(key_file),
            ssl_certfile=str(chain_file),
            log_config=None,
            access_log=False,
            proxy_headers=settings.plain_http or bool(settings.trusted_proxies),
            forwarded_allow_ips=in_either_form(settings.trusted_proxies or ("127.0.0.1",)),
            lifespan="on",
        )
    )
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            await task
            raise RuntimeError("the server ended before it started")
        await asyncio.sleep(0.01)
    bound = server.servers[0].sockets[0].getsockname()[1]
    trusted = ssl.create_default_context(cafile=ca_file)
    try:
        async with httpx2.AsyncClient(
            base_url=f"https://127.0.0.1:{bound}", verify=trusted, timeout=60
        ) as client:
            yield client
    finally:
        server.should_exit = True
        await task
