"""One text now, while the caller waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from domain.errors import InvalidInput, NotFound, Violation
from domain.extraction.model import Extraction, ExtractionId
from domain.extraction.service import ExtractionService, check_text
from ports.clock import Clock
from ports.extraction_schemas import ExtractionSchemaRepository

_PATIENCE_S: Final = 0.75
"""What a caller waits for providers that are shut or fail: it is answered within a second."""


class SingleExtraction:
    """Reads one text by a named schema; whoever is known to be down is not waited for.

    Args:
        service: reads it.
        schemas: knows the schemas.
        clock: says when.
        new_id: makes identities.
        deadline_s: longest time that a caller waits, in seconds.
    """

    def __init__(
        self,
        *,
        service: ExtractionService,
        schemas: ExtractionSchemaRepository,
        clock: Clock,
        new_id: Callable[[], UUID],
        deadline_s: float,
    ) -> None:
        self._service = service
        self._schemas = schemas
        self._clock = clock
        self._new_id = new_id
        self.deadline_s = deadline_s

    async def read(self, text: str, *, schema: str, provider: str | None) -> Extraction:
        """Read `text`; nothing is stored yet, whatever the result.

        Args:
            text: what a customer wrote.
            schema: name of a schema; its newest version is used.
            provider: a provider's name or a chain such as `openai,local`; None for the configured.

        Raises:
            InvalidInput: text, schema or provider cannot be used; names each.
        """
        violations = check_text(text)
        chain: tuple[str, ...] = ()
        try:
            chain = self._service.chain_for(provider)
        except InvalidInput as error:
            violations.extend(error.violations)
        try:
            found = await self._schemas.get(schema)
        except NotFound as error:
            violations.append(Violation(pointer="/schema", detail=str(error)))
        if violations:
            raise InvalidInput.of(violations)
        result = await self._service.extract(
            text, found, chain=chain, deadline_s=self.deadline_s, patience_s=_PATIENCE_S
        )
        return Extraction(
            id=ExtractionId(self._new_id()),
            text=text,
            result=result,
            created_at=self._clock.now(),
        )
