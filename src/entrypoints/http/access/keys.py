"""`/keys`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, TypeAlias

from litestar import Controller, Request
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation
from msgspec import UNSET

from domain.access.keys import ApiKeyDraft, key_name_problem, key_networks
from domain.access.model import ApiKeyId, ModelBudget, Scope
from domain.access.service import KeyService
from domain.errors import Conflict, Violation
from entrypoints.http.access.authentication import caller_of
from entrypoints.http.access.key_views import (
    IssuedKeyView,
    KeyDetailView,
    KeyPatch,
    KeyView,
    NewKey,
    Rotation,
    issued_key_view,
    key_detail_view,
    key_view,
)
from entrypoints.http.protocol.answers import Id, JsonAnswer, json_response, path_id, utc
from entrypoints.http.protocol.bodies import Rules
from entrypoints.http.protocol.operations import delete, get, patch, post
from entrypoints.http.protocol.pages import ListQuery, Page
from entrypoints.http.protocol.parameters import (
    Body,
    InPath,
    MergePatch,
    NothingIsReplayed,
    PageOf,
)
from ports.access import ApiKeyRepository, ModelSpendingReader


class KeyPage(Page[KeyView]):
    """One page, newest first."""


KeyIdInPath: TypeAlias = Annotated[ApiKeyId, InPath(partial(path_id, what="key"), Id)]
NotReplayed: TypeAlias = Annotated[
    None, NothingIsReplayed("revoke the key that GET /keys shows, and ask again")
]
Service = NamedDependency[SkipValidation[KeyService]]
Keys = NamedDependency[SkipValidation[ApiKeyRepository]]
Spending = NamedDependency[SkipValidation[ModelSpendingReader]]
Asked: TypeAlias = Request[Any, Any, Any]


def _violations(members: Mapping[str, object]) -> list[Violation]:
    """What is wrong with well-typed members beyond their types."""
    name, networks = members.get("name"), members.get("networks")
    problem = key_name_problem(name) if isinstance(name, str) else None
    found = [] if problem is None else [Violation(pointer="/name", detail=problem)]
    if isinstance(networks, list) and all(isinstance(each, str) for each in networks):
        found += key_networks(networks)[1]
    return found


def _rules() -> Rules:
    return _violations


class KeyController(Controller):
    """Who may come in, and with which rights."""

    path = "/keys"
    tags = ("keys",)
    dependencies = {"rules": Provide(_rules, sync_to_thread=False)}  # noqa: RUF012

    @post(scope=Scope.ADMIN, headers=["Location"])
    async def create_key(
        self,
        request: Asked,
        once: NotReplayed,  # noqa: ARG002 (it refuses)
        body: Body[NewKey],
        key_service: Service,
    ) -> JsonAnswer[IssuedKeyView]:
        """Make a key; this answer alone holds it."""
        networks, _ = key_networks(body.networks)  # the rules have found no fault
        budget = ModelBudget() if body.budget is UNSET else body.budget.budget()
        given = body.expires_at
        draft = ApiKeyDraft(
            name=body.name,
            environment=body.environment,
            scopes=frozenset(body.scopes),
            networks=networks,
            requests_per_minute=body.requests_per_minute,
            budget=budget,
            expires_at=key_service.default_expiry() if given is UNSET else utc(given),
            created_by=caller_of(request).subject,
        )
        issued = await key_service.create(draft)
        view = issued_key_view(issued, key_service.clock.now())
        return json_response(view, status=201, headers={"Location": f"/keys/{issued.key.id}"})

    @get(scope=Scope.ADMIN)
    async def list_keys(
        self, page: PageOf[ListQuery], api_keys: Keys, key_service: Service
    ) -> JsonAnswer[KeyPage]:
        """List keys, newest first, those that are revoked and expired too."""
        found = await api_keys.page(limit=page.read_limit, before=page.before(ApiKeyId))
        now = key_service.clock.now()
        return page.answer(KeyPage, found, lambda key: key_view(key, now), lambda key: key.id)

    @get("/{key_id:str}", scope=Scope.ADMIN)
    async def get_key(
        self,
        key_id: KeyIdInPath,
        api_keys: Keys,
        model_spending: Spending,
        key_service: Service,
    ) -> JsonAnswer[KeyDetailView]:
        """Fetch a key, without its secret, with what it spent on language models today."""
        key, spent = await api_keys.get(key_id), await model_spending.today(key_id)
        return json_response(key_detail_view(key, spent, key_service.clock.now()))

    @patch("/{key_id:str}", scope=Scope.ADMIN)
    async def patch_key(
        self,
        key_id: KeyIdInPath,
        body: MergePatch[KeyPatch],
        model_spending: Spending,
        key_service: Service,
    ) -> JsonAnswer[KeyDetailView]:
        """Change the model budget of a key, and of those it replaced (JSON merge patch)."""
        changed = await key_service.change_budget(key_id, body.changes())
        spent = await model_spending.today(key_id)
        return json_response(key_detail_view(changed.key, spent, key_service.clock.now()))

    @post(
        "/{key_id:str}/rotate",
        scope=Scope.ADMIN,
        status=201,
        errors=[Conflict],
        headers=["Location"],
    )
    async def rotate_key(
        self,
        request: Asked,
        key_id: KeyIdInPath,
        once: NotReplayed,  # noqa: ARG002 (it refuses)
        body: Body[Rotation | None],
        key_service: Service,
    ) -> JsonAnswer[IssuedKeyView]:
        """Make a key in the place of another, with all that it has; this answer alone holds it."""
        rotation = body or Rotation()
        issued = await key_service.rotate(
            key_id,
            created_by=caller_of(request).subject,
            overlap=timedelta(seconds=rotation.overlap_s),
        )
        view = issued_key_view(issued, key_service.clock.now())
        return json_response(view, status=201, headers={"Location": f"/keys/{issued.key.id}"})

    @delete("/{key_id:str}", scope=Scope.ADMIN)
    async def revoke_key(self, key_id: KeyIdInPath, key_service: Service) -> None:
        """Refuse a key from now on; one that is revoked stays so."""
        await key_service.revoke(key_id)
