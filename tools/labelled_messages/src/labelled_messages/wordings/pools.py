"""The wordings of each part of a set; no wording is in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labelled_messages.filling import Words
from labelled_messages.strata import Split
from labelled_messages.wordings import attacks, dev, english, frames, multilingual
from labelled_messages.wordings.attacks import Attack


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Wordings of one part, by what they are for; places are told in `filling`.

    Attributes:
        clean, distractor, missing, correction: whole messages.
        implicit_number: messages with `{words}`, for any of `number_words`.
        computed: messages whose number follows from another one, each with its words.
        order_within: messages with `{filler}` and `{filler_after}`.
        multilingual: whole messages by language, with `{words}` for any of `foreign_words`.
        signatures, threads: what stands behind a message.
        scans, web_pages: what stands before and behind it.
        small_talk: sentences to fill pages with.
        attacks: instructions to whoever reads.
    """

    clean: Sequence[str]
    distractor: Sequence[str]
    missing: Sequence[str]
    correction: Sequence[str]
    implicit_number: Sequence[str]
    number_words: Sequence[Words]
    computed: Sequence[tuple[str, Words]]
    order_within: Sequence[str]
    multilingual: Mapping[str, Sequence[str]]
    foreign_words: Mapping[str, Sequence[Words]]
    signatures: Sequence[str]
    threads: Sequence[str]
    scans: Sequence[tuple[str, str]]
    web_pages: Sequence[tuple[str, str]]
    small_talk: Sequence[str]
    attacks: Sequence[Attack]

    def wordings(self) -> list[str]:
        """All of them, once each."""
        framed = [part for pair in (*self.scans, *self.web_pages) for part in pair]
        return [
            *self.clean,
            *self.distractor,
            *self.missing,
            *self.correction,
            *self.implicit_number,
            *(wording for wording, _ in self.computed),
            *self.order_within,
            *(wording for wordings in self.multilingual.values() for wording in wordings),
            *self.signatures,
            *self.threads,
            *framed,
            *self.small_talk,
            *(attack.words for attack in self.attacks),
        ]


POOLS: Final[Mapping[Split, Pool]] = {
    Split.TEST: Pool(
        clean=english.CLEAN,
        distractor=english.DISTRACTOR,
        missing=english.MISSING,
        correction=english.CORRECTION,
        implicit_number=english.IMPLICIT_NUMBER,
        number_words=english.NUMBER_WORDS,
        computed=english.COMPUTED,
        order_within=english.ORDER_WITHIN,
        multilingual=multilingual.MULTILINGUAL,
        foreign_words=multilingual.NUMBER_WORDS,
        signatures=frames.SIGNATURES,
        threads=frames.THREADS,
        scans=frames.SCANS,
        web_pages=frames.WEB_PAGES,
        small_talk=frames.SMALL_TALK,
        attacks=attacks.TEST,
    ),
    Split.DEV: Pool(
        clean=dev.CLEAN,
        distractor=dev.DISTRACTOR,
        missing=dev.MISSING,
        correction=dev.CORRECTION,
        implicit_number=dev.IMPLICIT_NUMBER,
        number_words=dev.NUMBER_WORDS,
        computed=dev.COMPUTED,
        order_within=dev.ORDER_WITHIN,
        multilingual=dev.MULTILINGUAL,
        foreign_words={},
        signatures=dev.SIGNATURES,
        threads=dev.THREADS,
        scans=dev.SCANS,
        web_pages=dev.WEB_PAGES,
        small_talk=dev.SMALL_TALK,
        attacks=attacks.DEV,
    ),
}
