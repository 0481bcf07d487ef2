"""A set of customers' messages with their answers: the record first, then its words.

The same seed makes the same set, whatever the version of Python; a longer set begins with the
shorter one, but for its last text.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from domain.comparison.model import LabelledText
from domain.extraction.schema import DEFAULT, ORDER_MESSAGE
from entrypoints.up.sample_data.rows import seeded
from labelled_messages.filling import CUSTOMER, PRODUCT, QUANTITY, Draft, Piece, decorate, fill
from labelled_messages.strata import Cell, Split, Stratum, schedule
from labelled_messages.surroundings import marked_up, misspelt, pages, scanned
from labelled_messages.wordings.attacks import Attack
from labelled_messages.wordings.pools import POOLS, Pool

SCHEMAS: Final = {schema.name: schema for schema in (DEFAULT, ORDER_MESSAGE)}
"""Records that a set can be made for; their fields are customer, product and quantity."""
_MEMBERS: Final = (CUSTOMER, PRODUCT, QUANTITY)
_NOISES: Final = ("typos", "signature", "thread", "html", "scan")
_COMPUTED_SHARE: Final = 0.4
_PLACES_OF_ATTACKS: Final = ("end", "end", "start", "middle")


def messages(
    count: int, *, seed: int, schema: str = ORDER_MESSAGE.name, split: Split | None = None
) -> Iterator[LabelledText]:
    """The set of `count` messages, in the shares of `strata.SHARES`, five of six to be judged.

    Args:
        count: size of the whole set (>= 0).
        seed: the same seed makes the same texts, for either schema.
        schema: one of `SCHEMAS`.
        split: give this part of the set only.
    """
    names = [field.name for field in SCHEMAS[schema].fields]
    turns: Counter[Cell] = Counter()
    made = 0
    for cell in schedule(count):
        turn = turns[cell]
        turns[cell] += 1
        if split in (None, cell.split):
            rng = seeded(seed, f"messages/{made}")
            pool = POOLS[cell.split]
            if cell.stratum is Stratum.INJECTION:
                yield from _attacked(rng, pool, turn, cell.split, made, names)
            else:
                draft = _draft(rng, pool, turn, cell)
                yield _labelled(draft, made, cell.stratum, cell.split, names)
        made += cell.size


def _draft(rng: random.Random, pool: Pool, turn: int, cell: Cell) -> Draft:
    """The message of a kind; the kind's wordings take turns."""
    match cell.stratum:
        case Stratum.NOISE:
            return _noisy(rng, pool, turn, cell.split)
        case Stratum.IMPLICIT_NUMBER:
            return _implicit(rng, pool, turn, cell.split)
        case Stratum.MULTILINGUAL:
            return _multilingual(rng, pool, turn, cell.split)
        case Stratum.LONG:
            wording, name = _turn(pool.order_within, turn, f"long-{cell.split}")
            return fill(rng, wording, template=name, extra=pages(rng, pool.small_talk))
        case Stratum.CLEAN:
            wordings = pool.clean
        case Stratum.DISTRACTOR:
            wordings = pool.distractor
        case Stratum.MISSING:
            wordings = pool.missing
        case _:
            wordings = pool.correction
    wording, name = _turn(wordings, turn, f"{cell.stratum}-{cell.split}")
    return fill(rng, wording, template=name)


def _turn(wordings: Sequence[str], turn: int, prefix: str) -> tuple[str, str]:
    nth = turn % len(wordings)
    return wordings[nth], f"{prefix}-{nth + 1}"


def _noisy(rng: random.Random, pool: Pool, turn: int, split: Split) -> Draft:
    wording, name = _turn(pool.clean, rng.randrange(len(pool.clean)), f"clean-{split}")
    draft = fill(rng, wording, template=name)
    kind = _NOISES[turn % len(_NOISES)]
    match kind:
        case "typos":
            dirty = misspelt(rng, draft)
        case "signature" | "thread":
            endings = pool.signatures if kind == "signature" else pool.threads
            spoilt = misspelt(rng, draft) if rng.random() < 0.5 else draft
            dirty = spoilt.within("", decorate(rng.choice(endings), draft))
        case "html":
            before, after = rng.choice(pool.web_pages)
            page = marked_up(rng, draft)
            dirty = page.within(decorate(before, draft), decorate(after, draft))
        case _:
            before, after = rng.choice(pool.scans)
            sheet = draft.within(decorate(before, draft), decorate(after, draft))
            dirty = scanned(rng, sheet)
    return replace(dirty, kind=kind)


def _implicit(rng: random.Random, pool: Pool, turn: int, split: Split) -> Draft:
    if rng.random() < _COMPUTED_SHARE:
        nth = turn % len(pool.computed)
        wording, words = pool.computed[nth]
        return fill(rng, wording, template=f"computed-{split}-{nth + 1}", words=words)
    wording, name = _turn(pool.implicit_number, turn, f"implicit-{split}")
    return fill(rng, wording, template=name, words=rng.choice(pool.number_words))


def _multilingual(rng: random.Random, pool: Pool, turn: int, split: Split) -> Draft:
    languages = list(pool.multilingual)
    language = languages[turn % len(languages)]
    prefix = f"{language}-{split}"
    wording, name = _turn(pool.multilingual[language], turn // len(languages), prefix)
    words = rng.choice(pool.foreign_words[language]) if "{words}" in wording else None
    return fill(rng, wording, template=name, language=language, words=words)


def _attacked(
    rng: random.Random,
    pool: Pool,
    turn: int,
    split: Split,
    made: int,
    names: Sequence[str],
) -> Iterator[LabelledText]:
    """The attacked message and its twin, which is the same without the attack."""
    nth = rng.randrange(len(pool.clean))
    wording, name = _turn(pool.clean, nth, f"clean-{split}")
    draft = fill(rng, wording, template=name)
    attack = next(
        each
        for each in (pool.attacks[(turn + n) % len(pool.attacks)] for n in range(len(pool.attacks)))
        if all(draft.values[member] != wanted for member, wanted in each.wanted.items())
    )
    twin = _labelled(draft, made + 1, Stratum.CLEAN, split, names)
    attacked = _labelled(
        replace(draft, pieces=_struck(rng, draft.pieces, attack), kind=attack.kind),
        made,
        Stratum.INJECTION,
        split,
        names,
    )
    renamed = dict(zip(_MEMBERS, names, strict=True))
    wanted = {renamed[member]: value for member, value in attack.wanted.items()}
    yield replace(attacked, twin=twin.id, attack=wanted)
    yield twin


def _struck(rng: random.Random, pieces: Sequence[Piece], attack: Attack) -> tuple[Piece, ...]:
    """The message with the attack behind, before or, where it has paragraphs, within it."""
    where = rng.choice(_PLACES_OF_ATTACKS)
    if where == "start":
        return (Piece(f"{attack.words}\n\n"), *pieces)
    gaps = [nth for nth, piece in enumerate(pieces) if not piece.part and "\n\n" in piece.text]
    if where == "end" or not gaps:
        return (*pieces, Piece(f"\n\n{attack.words}"))
    nth = rng.choice(gaps)
    before, _, after = pieces[nth].text.partition("\n\n")
    broken = Piece(f"{before}\n\n{attack.words}\n\n{after}")
    return (*pieces[:nth], broken, *pieces[nth + 1 :])


def _labelled(
    draft: Draft, made: int, stratum: Stratum, split: Split, names: Sequence[str]
) -> LabelledText:
    spans = draft.spans()
    renamed = list(zip(_MEMBERS, names, strict=True))
    return LabelledText(
        id=f"m{made + 1:05}",
        text=draft.text,
        gold={name: draft.values[member] for member, name in renamed},
        spans={name: spans[member] for member, name in renamed if member in spans},
        strata=(stratum.value, *([f"{stratum}: {draft.kind}"] if draft.kind else [])),
        language=draft.language,
        template=draft.template,
        split=split.value,
    )
