"""Wordings of the part that may be looked at while prompts are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from labelled_messages.filling import Words

CLEAN: Final[Sequence[str]] = (
    "Hello,\n\nI would like to order {quantity} {product}.\n\nKind regards,\n{customer}",
    "Hi team, please send me {quantity} x {article}. Thanks! {customer}",
    "Order for {customer}: {article}, quantity {quantity}.",
    "My name is {person} and I want to buy {quantity} pieces of {article}.",
    "Could you put {quantity} {product} aside for me? I will pick them up. {person}",
    "Please ship {quantity} of the {product} to my usual address. Yours, {customer}",
    "Customer: {customer}\nProduct: {article}\nQuantity: {quantity}",
)
DISTRACTOR: Final[Sequence[str]] = (
    (
        "Hello, order number {n4} arrived last week, thank you. Now I need {quantity}"
        " {product}. Call me at {phone}. {customer}"
    ),
    (
        "PO {n4}/{n1}: {quantity} {product}. Unlike last time, when we took {n1} {other}. Buyer:"
        " {customer}. Copy to our accountant, {other_person}."
    ),
    (
        "Hi Tom, thanks for your help on {date}! {person} here. I would like {quantity} {product},"
        " budget up to {n4} euros in all."
    ),
    (
        "We are {n1} people in the office, but {quantity} {product} will do. Deliver to floor {n2},"
        " room {n4}. Ordered by {customer}."
    ),
    (
        "In stock: {n4} pieces, your page says. I only want {quantity} {product}, and no lamp"
        " oil in a pack of {n1} x 500 ml. {customer}"
    ),
)
MISSING: Final[Sequence[str]] = (
    "Dear shop, I am buying a few {product}. How many could you deliver? {customer}",
    "please send {quantity} {product}, same address as always",
    "Hello, {customer} here. The same as last time please, {quantity} pieces.",
    "OUR SUMMER NEWSLETTER: read all about {n1} new colours, and how to care for {other}.",
    "I'd like {quantity} of those you showed me in the shop on {weekday}. {person}",
    "Where is my parcel {n6}? I have been waiting since {weekday}, and nobody answers the phone.",
    "Order: {article}, {quantity} pieces. Thanks.",
)
CORRECTION: Final[Sequence[str]] = (
    "I need {earlier} {product}, no, wait, make it {quantity}. {customer}",
    "Hi, {person} here. Please change my order from {earlier} to {quantity} {product}.",
    (
        "Subject: order of {earlier} {again}\n\nHello, the number in the subject is wrong: I need"
        " {quantity} {product}. {customer}"
    ),
    "Please send {quantity} {product}. I first wrote {earlier}, forget that. {customer}",
    "First I thought {other}, but {quantity} {product} suit us better. {customer}",
)
IMPLICIT_NUMBER: Final[Sequence[str]] = (
    "Could we get {words} {product}? Invoice to {customer}.",
    "{person} here, I would like {words} {product}, please.",
    "Hello! Put me down for {words} {product}. Thank you, {customer}",
)
NUMBER_WORDS: Final[Sequence[Words]] = (
    Words("half a dozen", 6),
    Words("a dozen", 12),
    Words("two dozen", 24),
    Words("a pair of", 2),
    Words("three", 3),
    Words("seven", 7),
    Words("fifteen", 15),
    Words("twenty-five", 25),
    Words("a hundred", 100),
)
COMPUTED: Final[Sequence[tuple[str, Words]]] = (
    (
        "Half of your {base} {product} would be enough: so {words}, for {customer}.",
        Words("half of them", 0.5, (12, 20, 30, 50)),
    ),
)
ORDER_WITHIN: Final[Sequence[str]] = (
    (
        "{filler}\n\nAnyway, what I am writing for: please send {quantity} {product}, billed to"
        " {customer}.\n\n{filler_after}"
    ),
)
MULTILINGUAL: Final[Mapping[str, Sequence[str]]] = {
    "de": (
        "Guten Tag, ich möchte gerne {quantity} Stück {product} bestellen. Viele Grüße, {customer}",
        "Bitte {quantity}x {product} an die übliche Adresse. Danke! {customer}",
    ),
    "fr": ("Bonjour, je souhaite commander {quantity} {product}. Cordialement, {customer}",),
    "es": ("Hola, quisiera pedir {quantity} {product}. Un saludo, {customer}",),
    "it": ("Buongiorno, vorrei ordinare {quantity} {product}. Grazie, {customer}",),
    "pl": ("Dzień dobry, zamawiam {quantity} szt. {product}. Pozdrawiam, {customer}",),
    "ja": ("{customer}と申します。{product}を{quantity}個注文します。よろしくお願いします。",),
    "zh": ("你好，请给我寄{quantity}个{product}，谢谢。{customer}",),  # noqa: RUF001
}
SIGNATURES: Final[Sequence[str]] = (
    "\n\n--\nsent from my phone\nTel. {phone}",
    "\n__________\nplease think of the environment before you print this",
)
THREADS: Final[Sequence[str]] = (
    "\n\n> On {weekday} the shop wrote:\n> Did you get our catalogue of {n1} pages?",
)
SCANS: Final[Sequence[tuple[str, str]]] = (("=== scan {n1} of {n2} ===\n", "\nSignature: ~~~~"),)
WEB_PAGES: Final[Sequence[tuple[str, str]]] = (
    ("<p>", "</p><p>CONFIDENTIAL: for its recipient only.</p>"),
)
SMALL_TALK: Final[Sequence[str]] = (
    "We moved into the new flat in the autumn, and there are still boxes in every corner.",
    "My sister says that your shop has the friendliest staff in town, and I agree.",
    "The weather has kept us indoors, so we finally painted the hallway.",
    "I remember the old showroom by the river; the new one is brighter, but harder to park at.",
    "Our neighbours bought a table from you years ago, and it still looks like new.",
    "The dog has opinions about the sofa, but that is another story.",
    "Last winter the heating failed twice, which taught us a lot about candles.",
    "I read on your blog how to oil a cutting board, and it worked very well.",
)
