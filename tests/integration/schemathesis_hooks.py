"""What Schemathesis cannot know of this API, and a check of our own.

The check: a request that the schema allows is refused with 422 only for a rule that no schema can
state. So an answer that is stricter than the document is found, whatever the status table allows.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st

from tests.integration.keys import FUZZING_KEY_ID

# Any address by the grammar is mostly refused, for its domain cannot receive mail.
schemathesis.openapi.format(
    "email",
    st.emails() | st.from_regex(r"[a-z0-9.+]{1,12}@[a-z]{2,9}\.(com|org|net)", fullmatch=True),
)


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:
    """The key of the calls themselves is neither revoked nor replaced: another is asked for."""
    key_id = case.path_parameters.get("key_id")
    if case.method != "GET" and str(key_id) == str(FUZZING_KEY_ID):
        case.path_parameters["key_id"] = FUZZING_KEY_ID - 1


@schemathesis.serializer("application/x-ndjson")
def lines_of_json(ctx: Any, value: Any) -> bytes:
    """An example as it stands; any other text as one document, or as the query of one row."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        return json.dumps(value).encode()
    try:
        example = all(isinstance(json.loads(line), dict) for line in value.splitlines())
    except ValueError:
        example = False
    made = (
        {"search_query": value[:255], "clicks": 1, "impressions": 2}
        if ctx.case.path == "/search-clicks"
        else {"text": value}
    )
    return (value if example and value else json.dumps(made)).encode()


# Rules that relate members to one another, to the stored rows, to today, or to the world.
_REASONS: Final = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"unknown_user /user_id no user has this id",
        r"validation_failed /email .*(@-sign|e-?mail|domain|characters|period|letters|dot).*",
        r"validation_failed /order_date cannot be changed; .*",
        r"validation_failed (/?\w+) must fall in the years 1\.\.9999 of UTC",
        r"validation_failed cursor is not a cursor of this list with these filters; .*",
        # Searches and insights
        r"validation_failed from must not be after `to`, .*",
        r"validation_failed from makes \d+ days with `to`; .*",
        r"validation_failed days must not be given together with `from` or `to`",
        r"validation_failed query must not be blank",  # normalised
        r"validation_failed insight_date must be from 0001-01-02 to today, .*",
        r"validation_failed (/\d+)?/clicks must not be more than impressions, .*",
        r"validation_failed (/\d+)?/search_date must be a day from 0001-01-02 to 9999-12-30",
        r"validation_failed (/\d+)?/search_query (line \d+: )?must not be blank",  # normalised
        r"validation_failed /\d+/search_query line \d+: must not hold a (NUL|lone) .*",
        r"validation_failed (/\d+)?/click_through_rate contradicts clicks and impressions: .*",
        # Extraction: a definition's members bind one another, options belong to one form of body
        r"validation_failed /(fields|examples)/\d+.*",
        r"validation_failed \w+ goes with lines of JSON only; .*",
        r"validation_failed /?mode \w+ takes no batches here; .*",  # as it is configured
        r"validation_failed /max_cost_usd must be more than 0 .*",  # at nine decimals
        r"validation_failed (/texts/\d+|/documents/\d+/text|/\d+/text) .*must (not|have) .*",
        r"validation_failed /name must be '\w+' or absent",  # the name in the path
        r"validation_failed /documents .*`texts`.*",
        r"validation_failed (/?provider|/?schema) .*(configured|schema).*",
        # Keys: names that a terminal would obey, networks, and when they end
        r"validation_failed /name must not (be blank|hold .*)",
        r"validation_failed /networks/\d+ (is no network|names an address inside).*",
        r"validation_failed /expires_at must be (in the future|within 366 days, or never)",
        # Webhooks: hosts in one spelling, ports, and addresses that are public
        r"validation_failed /url (must|has|leads) .*",
        # Comparisons: providers as they are configured, labels as the schema has fields
        r"validation_failed /providers(/\d+)? .*(is not configured|each once|orders alone).*",
        r"validation_failed (/dataset|/texts/\d+.*) .*",
    )
)
_WHOLE: Final = frozenset({"idempotency_key_reused"})


@schemathesis.check
def allowed_requests_are_refused_for_a_reason(ctx: Any, response: Any, case: Any) -> None:
    """A 422 of what the schema allows names only rules that the schema cannot state."""
    if response.status_code != 422 or not case.meta or not case.meta.generation.mode.is_positive:
        return
    problem = response.json()
    if problem["code"] in _WHOLE:
        return
    for error in problem["errors"]:
        said = f"{problem['code']} {error['pointer']} {error['detail']}"
        assert any(each.fullmatch(said) for each in _REASONS), said
