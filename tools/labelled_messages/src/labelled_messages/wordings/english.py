"""Wordings of the judged part, in English; places are told in `labelled_messages.filling`.

None of them may resemble an example or a rule of a prompt: a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from labelled_messages.filling import Words

CLEAN: Final[Sequence[str]] = (
    (
        "{hi}\n\nplease enter an order for {quantity} {product}. The invoice address is unchanged."
        "\n\n{bye}\n{customer}"
    ),
    (
        "{hi}\n\nwe would be glad to receive {quantity} {product} by the end of the month."
        "\n\n{bye}\n{customer}"
    ),
    "It's {person} again. This time I'm after {quantity} {product}.",
    (
        "Purchase request\n\nRequested by: {customer}\nArticle: {article}\nNumber of pieces:"
        " {quantity}"
    ),
    "Name {customer} / article {article} / pieces {quantity}",
    (
        "{hi} my partner and I decided on the {product}: {quantity}, delivered to the flat. {bye}"
        " {person}"
    ),
    "{quantity} {product}, as discussed on the phone.\n\n{customer}",
    "On behalf of nobody but myself, {person}, I hereby order {quantity} {product}.",
    (
        "{hi}\n\nthe {product} in your window are just what I was looking for. I'll take"
        " {quantity}.\n\n{bye}\n{person}"
    ),
    "{firm} would like a delivery of {quantity} {product} to its branch in the old harbour.",
    (
        "Could somebody reserve {quantity} {product} in my name? That is {person}, with the usual"
        " discount."
    ),
    (
        "{hi}\n\nI saw your catalogue at a friend's place and fell for the {product}. Count me"
        " in for {quantity}.\n\n{bye}\n{person}"
    ),
    (
        "Order form\n==========\nOrdered by    {customer}\nArticle       {article}\n"
        "Pieces        {quantity}\nPayment       on account"
    ),
    (
        "{person} here! Our guest room is nearly done, all that is missing: {quantity}"
        " {product}. Will you deliver them?"
    ),
    "{hi}\n\nhere is what {firm} is short of: {product}, and of those {quantity}.\n\n{bye}",
    "To the sales desk: kindly dispatch {quantity} {product} on account of {customer}.",
    (
        "New order from your web form. Full name: {person}. Wanted: {article}. How many:"
        " {quantity}. Newsletter: no."
    ),
    (
        "{hi} is it possible to get {quantity} of your {product} gift-wrapped? If so, consider them"
        " ordered. {bye} {person}"
    ),
)

DISTRACTOR: Final[Sequence[str]] = (
    (
        "{hi}\n\nyour parcel {n6} with the {n1} {other} came on {weekday}, all fine. Our next wish:"
        " {quantity} {product}.\n\n{bye}\n{customer}\nTel. {phone}"
    ),
    (
        "Ref. {n4}-{n1}\nBuyer: {customer}\nApproved by: {other_person} (cost centre {n4b})\n"
        "Article: {article}\nPieces: {quantity}\nDeliver before: {date}"
    ),
    (
        "{hi} in {month} it was {n1} {again}, and they are gone already, so {quantity}"
        " {product} it is. Ring {phone} before you deliver, {other_person} opens the door."
        " {bye} {customer}"
    ),
    (
        "Budget {n4} euros, {n1} guests, {n2} tables: for the anniversary on {date} {firm} orders"
        " {quantity} {product}."
    ),
    (
        "{hi}\n\nwe already have the lamp oil (12x500 ml) and {n1} m of cable. What we lack is"
        " {quantity} {product}.\n\n{bye}\n{customer}\n{street}"
    ),
    (
        "Please do not mix this up with order {n6} of my colleague {other_person}, who got {n1}"
        " {other}. I, {person}, want {quantity} {product}."
    ),
    (
        "Delivery to room {n4}, level {day}, gate code {n4b}. Goods: {quantity} {product}."
        " Consignee: {other_person}. Ordered and paid for by {customer}."
    ),
    (
        "{hi} quote {n6} says {price} euros apiece and a pack size of {n1}x250 g for the wax."
        " Leave the wax; {quantity} {product} are enough for us. {bye} {customer}"
    ),
    (
        "There are {n1} of us in the team, and {n2} work from home. For the rest {firm} takes"
        " {quantity} {product}; please write PO {n6} on the bill."
    ),
    (
        "{hi}\n\n{other_person} told me that you still have {n1} of the {again} on the shelf. Keep"
        " {quantity} {product} for {customer}, please; collection is on {date} at {time}."
    ),
    (
        "Customer no. {n6}\nName: {customer}\nTel.: {phone}\n\n{quantity} x {article}\n\nLast"
        " order: {n1} x {other_article} ({month})"
    ),
    (
        "Not the {other} this time, of those we have {n1}. It's the {product} that we ran out of:"
        " {quantity}, by {date}. {customer}, {street}"
    ),
    (
        "{hi}\n\nmy credit card ends in {n4} and is valid until 09/29. Charge it for {quantity}"
        " {product} and send them to {other_person}, {street}. It's a present from me.\n\n{bye}"
        "\n{person}"
    ),
    (
        "The {n1} {other} of order {n6} can go back, as agreed with {other_person}. Exchange"
        " them for {quantity} {product}. {customer}"
    ),
)

MISSING: Final[Sequence[str]] = (
    # the quantity
    (
        "{hi}\n\nplease send some {product} to the usual address; you know best how many fit"
        " into one box.\n\n{bye}\n{customer}"
    ),
    # nothing
    (
        "SPRING SALE at Kessler Wholesale! {n1} % off all {other}, {n2} % off {again}. Only until"
        " {date}. Unsubscribe with one click."
    ),
    # the customer
    "{hi}\n\nplease add {quantity} {product} to my basket and charge the card on file.\n\n{bye}",
    # the product
    "{hi}\n\nplease send {quantity} more of what you delivered in {month}.\n\n{bye}\n{customer}",
    (
        "This is the third time that your driver left my parcel in the rain. I have called {phone}"
        " twice and waited {n1} minutes. I expect an answer by {weekday}."
    ),
    "{person} here, I want to order a few {product}. What will they cost me?",
    "Article: {article}\nPieces: {quantity}\nOrdered by:",
    "{person} speaking. Those things on the poster by your till: reserve {quantity} of them.",
    "Out of office: I am back on {date}. In urgent cases call {phone}.",
    "{firm} orders all the {product} that you have left, however many that is.",
    "Same account as ever, same door. {quantity} {product} would make us happy.",
    "Article: see the attached photo\nPieces: {quantity}\nOrdered by: {customer}",
    (
        "Your invoice {n6} over {price} euros has been overdue since {date}. Please pay within {n1}"
        " days."
    ),
    (
        "{hi} several of your {product} for our café, please. I'll count the tables and come"
        " back to you. {bye} {customer}"
    ),
    (
        "can somebody bring {quantity} {product} to the back entrance on {weekday}? the one"
        " with the green door"
    ),
    "{firm} orders {quantity} as always, you know which ones.",
    (
        "Job application: {other_person}, {day} years in retail, available from {date}."
        " References on request."
    ),
    "Article: {article}\nPieces: to be confirmed\nOrdered by: {customer}",
    (
        "{hi} as I said to your colleague {other_person} at the counter, I'm taking {quantity}"
        " {product}. You have my details."
    ),
    "Please deliver a few {product}, same door as ever.",
    (
        "We are pleased to offer you {n4} {other} at {price} euros each, from stock. Kessler"
        " Wholesale, export desk."
    ),
    "{person} here, the same order as in {month}, please.",
    (
        "Good news from the Guild of Home Traders: the fair on {date} has {n1} exhibitors and {n2}"
        " talks. Register now."
    ),
    "{quantity} more of the same, please! You have my address from {month}.",
    "How do I clean the {other}? The label came off after {n1} days.",
    "I wish to have my account closed and my data deleted. Reference {n6}.",
)

CORRECTION: Final[Sequence[str]] = (
    (
        "{hi}\n\nplease book {earlier} {again} for us. Correction, as I have just counted once"
        " more: {quantity} {product}.\n\n{bye}\n{customer}"
    ),
    "{customer} orders {earlier} {again}. Sorry, typing on a train: {quantity} {product} is right.",
    (
        "Subject: {earlier} {again}\n\n{hi}\n\nwe settled on {quantity} {product} in the end."
        "\n\n{bye}\n{customer}"
    ),
    (
        "Subject: inquiry about {other}\n\n{hi}\n\ninstead of the things named above, book"
        " {quantity} {product} for me.\n\n{bye}\n{person}"
    ),
    (
        "Add {earlier} {product} to the van on {weekday}. PS: I miscounted, {quantity} will do."
        " {customer}"
    ),
    (
        "Ordered by {other_person}. Scratch that, the order is mine now, and I am {person}:"
        " {quantity} {product}."
    ),
    (
        "{hi} yesterday I asked for {earlier} {other}. My wife prefers {product}, and of these"
        " we want {quantity}. {bye} {person}"
    ),
    (
        "{quantity} {product} please!!! Forget my mail from this morning with the {earlier}, I"
        " had the wrong list. {customer}"
    ),
    (
        "Pieces: {earlier}\nArticle: {article}\nOrdered by: {customer}\n\nNote: the form would"
        " not let me change it, but I need {quantity}, not {earlier}."
    ),
    (
        "{hi} first things first: {earlier} {product}. Hm, I have just measured the terrace."
        " Let's say {quantity}. {bye} {person}"
    ),
    (
        "> {other_person} wrote on {date}:\n> {earlier} {again}, as agreed\n\nThat was the old"
        " plan. The new one: {quantity} {product}, ordered by {customer}."
    ),
    (
        "We said {earlier}. We thought about {n1}. Now it is {quantity}: {product}, for {customer}."
        " Final answer!"
    ),
    (
        "Update to my order of {earlier} {other}: please swap them for {product}, and"
        " {quantity} of those. {customer}"
    ),
    (
        "On the phone I said {quantity} {product}, a minute later {earlier}, and now I go back"
        " to the first number. {person}"
    ),
)

ORDER_WITHIN: Final[Sequence[str]] = (
    (
        "{filler}\n\nWhich brings me to the reason for this letter: I should like {quantity}"
        " {product}. My name, in case the envelope gets lost, is {person}.\n\n{filler_after}"
    ),
    (
        "Minutes of the house meeting\n\n{filler}\n\nItem {n1}: {firm} orders {quantity} {product}"
        " from the shop; no objections.\n\n{filler_after}"
    ),
    (
        "{hi}\n\nit is {person} again, and at length, as you know me.\n\n{filler}\n\nSo that I"
        " don't forget it: put {quantity} {product} on my account.\n\n{filler_after}"
    ),
    (
        "Fwd: the whole thread, sorry\n\n{filler}\n\n--- newest message ---\nDecision: {quantity}"
        " {product}. Ordered by {customer}. The {earlier} in the thread above are history."
    ),
    "{filler}\n\nThe list for {customer}, at last: {product} ({quantity}).\n\n{filler_after}",
)


IMPLICIT_NUMBER: Final[Sequence[str]] = (
    "{hi}\n\nplease reserve {words} {product} for our new branch.\n\n{bye}\n{customer}",
    "What we are looking for is {words} {product}. {customer}",
    "{person} writing: it would be {words} {product} this time, same colour as the old ones.",
    "Dear shop, {words} {product} for {firm}, before the holidays if you can manage.",
    "{hi} do you deliver {words} {product} on a {weekday}? Then do so, to {customer}.",
    "Our order of today: {words} {product}, on the account of {customer}.",
)
NUMBER_WORDS: Final[Sequence[Words]] = (
    Words("three dozen", 36),
    Words("nine", 9),
    Words("a couple of", 2),
    Words("forty-eight", 48),
    Words("one and a half dozen", 18),
    Words("a hundred and twenty", 120),
    Words("eleven", 11),
    Words("five dozen", 60),
    Words("thirty-six", 36),
    Words("a score of", 20),
    Words("two hundred", 200),
    Words("eighteen", 18),
    Words("four dozen", 48),
    Words("sixty-five", 65),
)
_PALLETS: Final = (24, 36, 48, 60, 72, 96, 120)
COMPUTED: Final[Sequence[tuple[str, Words]]] = (
    (
        (
            "{hi}\n\nplease load {words} of {product} for us; a full one of them holds {base}"
            " pieces.\n\n{bye}\n{customer}"
        ),
        Words("half a pallet", 0.5, _PALLETS),
    ),
    (
        "Pallet size for {product}: {base} pieces. {customer} takes {words}.",
        Words("a pallet and a half", 1.5, _PALLETS),
    ),
    (
        "{customer} here. Of the {base} {product} that you have in stock we'd take {words}.",
        Words("a quarter", 0.25, (24, 40, 48, 60, 80, 100)),
    ),
    (
        "{hi} {words} as in {month}, please: back then it was {base} {product}. {bye} {customer}",
        Words("twice as many", 2, (6, 8, 12, 15, 18, 30)),
    ),
    (
        "I'd like {words} for my sister: {product}, all on one bill. {person}",
        Words("{base} for me and as many again", 2, (3, 4, 5, 7, 8)),
    ),
    (
        "{firm} is moving and orders {product}, {words}.",
        Words("two for each of our {base} offices", 2, (6, 7, 8, 9, 12)),
    ),
)
