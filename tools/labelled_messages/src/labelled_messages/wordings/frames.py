"""What stands around an order in the judged part: signatures, threads, scans, web pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

SIGNATURES: Final[Sequence[str]] = (
    "\n\n--\nPurchasing, 4th floor\n{street}\nPhone {phone} | Fax {phone}\nVAT ID GB{n6}",
    (
        "\n\nGet the app for your phone\n-----\nThis message and its {n1} kB of attachments are"
        " meant for the addressee alone. If you are not, delete it and tell us at {phone}."
    ),
    "\n\n~*~*~*~*~*~*~*~*~\n“It takes {n2} muscles to frown and {n1} to smile.”\n~*~*~*~*~*~*~*~*~",
    "\n\nOffice hours {time} to 18:30 | closed from {date}\nScanned for viruses, report {n6}",
)
THREADS: Final[Sequence[str]] = (
    (
        "\n\nOn {weekday}, {date}, at {time} the shop wrote:\n> Thank you for your visit!\n>"
        " Your points: {n4}. For {n1} more you get {other} at half the price.\n> Ask for"
        " {other_person}."
    ),
    (
        "\n\n-----Original message-----\nFrom: the shop\nSent: {date}\nRe: your order {n6}\n\n>"
        " We have shipped {n1} {other}.\n>> I'd like {n1} {other}, like {other_person} has"
        " them."
    ),
    (
        "\n\n> {other_person} wrote:\n> Can you ask for the price of {n2} {other}? And for a"
        " chair for room {n4}?\n>> No time, you do it."
    ),
)
SCANS: Final[Sequence[tuple[str, str]]] = (
    ("F A X   page 1 of 1   from {phone}\n. . .\n", "\n. . .\n[ stamp: received {date} ]"),
    ("~ scanned with a phone ~ {n6}.tif ~\n\n", "\n\n(handwritten, {n1} % legible)"),
    ("|| ARCHIVE COPY {n4} ||\n", "\n|| END, initials {n2} ||"),
)
WEB_PAGES: Final[Sequence[tuple[str, str]]] = (
    (
        '<html><body style="margin:{n1}px"><table width="600"><tr><td><p>',
        (
            "</p></td></tr><tr><td><small>Form {n4}, sent at"
            " {time}</small></td></tr></table></body></html>"
        ),
    ),
    (
        '<div class="mail-{n6}"><p style="font-size:{n2}px">',
        '</p><img src="cid:logo{n1}" width="{n2}"></div>',
    ),
    (
        "<section><p>",
        "</p><hr><p><i>Did you know? {n4} customers came back to us last year.</i></p></section>",
    ),
)
SMALL_TALK: Final[Sequence[str]] = (
    "In {month} we spent {n} days at {place}, and it rained on all but {few} of them.",
    (
        "{relative} has taken up {hobby}, which keeps the whole house awake until {n} minutes past"
        " ten."
    ),
    "The road to {place} is closed again, so the bus takes {n} minutes longer than it should.",
    "I have been reading about {hobby}; the book has {hundreds} pages and very small print.",
    "{relative} came for a weekend and stayed for {few} weeks.",
    "You would not recognise {place}: the old {thing} is gone, and there is a car park instead.",
    "The {thing} in our street has been out of order since {month}, and nobody feels responsible.",
    "{relative} says that {hobby} is good for the back, but the doctor says the opposite.",
    "By the way, the {thing} that we talked about was found behind the {thing}.",
    "We counted {n} swallows over {place} this morning, more than ever before in {month}.",
    "The council has met {few} times about the {thing} and has decided nothing.",
    "When I was a child, a tram ticket to {place} cost {few} pennies.",
    "{relative} turned {n} in {month}, and there was a cake in the shape of a {thing}.",
    "The weather at {place} was mild, with {n} degrees at noon and a light wind.",
    "I am told that {hobby} is coming back into fashion, at least around {place}.",
    "The choir rehearses {few} floors up now, since the {thing} downstairs hums.",
    "Somebody has written a letter of {hundreds} lines to the newspaper about the {thing}.",
    "{relative} wants to move to {place}, where the rent is {hundreds} less.",
    "For {few} evenings in a row we watched a film about {hobby} and fell asleep each time.",
    "The train to {place} was {n} minutes late, which {relative} took personally.",
    "There is a new {thing} at {place}, and people come from {n} miles away to see it.",
    "Our {thing} lost its lid in {month}, and we have made do with a plate ever since.",
    "{relative} found {hundreds} old photographs, most of them of {place} in the fog.",
    "I never understood {hobby}, but I like the tea that comes with it.",
    "The doctor recommends {n} minutes of {hobby} a day; the cat recommends none.",
    "Since the flood of {month} the cellar smells of {place}, if you know what I mean.",
)
