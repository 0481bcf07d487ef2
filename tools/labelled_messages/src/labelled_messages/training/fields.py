"""Records to fill: the built-in ones, and others with fields renamed, left out, moved and added."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from domain.extraction.schema import DEFAULT, ORDER_MESSAGE, Field, FieldType, RecordSchema
from entrypoints.up.sample_data.rows import seeded
from labelled_messages.training.grammar import SLOTS


class _Asked(NamedTuple):
    """How a slot is asked for: names, descriptions and the type of the value."""

    names: Sequence[str]
    descriptions: Sequence[str]
    type: FieldType = FieldType.STRING
    choices: Sequence[str] = ()


_ASKED: Final[Mapping[str, _Asked]] = {
    "customer": _Asked(
        (
            *("customer", "buyer", "client", "name", "ordered_by", "customer_name", "who"),
            *("sender", "account", "ordering_party", "invoice_to", "from_whom", "client_name"),
            *("billed_to", "orderer", "for_whom", "party"),
            *("contracting_party", "purchaser"),
        ),
        (
            "Who orders",
            "Name of the customer",
            "The person or firm that buys",
            "Who places this order, a person or a company",
            *("Customer's name as it is written", "Who the order comes from"),
            *("The one who wants the goods", "Signature of the order", "Whoever is to be billed"),
            *("Name under which the order runs", "Client, as signed", "For whom it is"),
            "Private person or company that places the order",
            "Ordering customer",
            "The buying party",
        ),
    ),
    "product": _Asked(
        (
            *("product", "item", "article", "goods", "what", "thing", "product_name", "wanted"),
            *("merchandise", "product_wanted", "subject_of_order", "requested", "ware", "title"),
            *("order_line", "good", "product_title", "label_of_item", "purchase", "order_item"),
        ),
        (
            "What is bought",
            "The goods that are wanted, as the text calls them",
            "Name of the product, without its number",
            "Ordered item",
            "What the customer wants to have",
            "Which article is asked for",
            "Goods in the words of the writer",
            "What they would like",
            "The product, with size or colour if said",
            "Name of what is ordered",
            "Object of the purchase",
            "The article that should be packed",
            "Which of our goods it is about",
            "Title of the item",
            "The thing to be sent",
        ),
    ),
    "quantity": _Asked(
        (
            *("quantity", "count", "amount", "pieces", "how_many", "qty", "number", "units"),
            *("item_count", "total", "total_units", "num", "number_of_items", "pcs", "ordered"),
            *("units_wanted", "size_of_order", "items", "n", "order_quantity"),
        ),
        (
            "How many pieces are wanted",
            "Number of pieces",
            "The count that is ordered in the end",
            *("How many of it, as a number", "Ordered quantity", "Units to deliver"),
            *("Number of units", "How many items in all", "The final number of pieces"),
            *("Count of goods", "How big the order is", "How many the customer takes"),
            *("Pieces, as an integer", "Total after any change", "How many to pack"),
        ),
        FieldType.INTEGER,
    ),
    "price": _Asked(
        (
            *("price", "unit_price", "cost", "each", "rate", "unit_cost", "single_price"),
            *("eur_each", "value_each", "amount_per_unit", "piece_price", "price_per_piece"),
        ),
        (
            *("Price of one piece", "What one piece costs", "Agreed unit price"),
            *("Price per unit", "The sum for one of them", "Cost of a single piece"),
            *("What they pay apiece", "Quoted price of each", "Money for each"),
        ),
        FieldType.NUMBER,
    ),
    "due": _Asked(
        (
            *("due", "delivery_date", "needed_by", "date", "deadline", "delivery_by", "arrival"),
            *("wanted_on", "target_date", "day", "until", "latest_date", "required_date"),
            *("deliver_on",),
        ),
        (
            *("Day by which it is needed", "When to deliver", "Date of delivery"),
            *("Latest day of delivery", "Required delivery date", "On which day it must arrive"),
            *("Date the customer names", "Wanted by", "The last good day"),
        ),
        FieldType.DATE,
    ),
    "address": _Asked(
        (
            *("address", "ship_to", "delivery_address", "street", "destination", "deliver_to"),
            *("shipping_address", "location", "where", "road", "drop_off", "delivery_place"),
            *("place",),
        ),
        (
            *("Where to deliver", "Address of delivery", "Where the goods go"),
            *("Street and place", "Full delivery address", "Where the parcel goes"),
            *("Shipping address as written", "Location for the driver"),
            *("The place to send it to",),
        ),
    ),
    "phone": _Asked(
        (
            *("phone", "telephone", "mobile", "phone_number", "tel", "phone_no", "contact_phone"),
            *("reach_at", "cell", "landline", "telephone_number", "call"),
        ),
        (
            "Telephone number",
            "Number to call",
            "Phone of the customer",
            "Telephone, as written",
            "Number under which they can be reached",
            "Tel. of the writer",
            "Mobile or landline number",
            "How to ring them",
        ),
    ),
    "email": _Asked(
        (
            *("email", "mail", "email_address", "e_mail", "mailbox", "send_invoice_to"),
            *("contact_email", "mail_to", "electronic_mail", "invoice_email"),
        ),
        (
            *("E-mail address", "Where to mail the invoice", "Address for mail", "Mail address"),
            *("E-mail of the customer", "Mailbox for the invoice", "An address with an @"),
            *("Where an e-mail goes", "Their e-mail"),
        ),
    ),
    "reference": _Asked(
        (
            *("reference", "po_number", "order_no", "your_ref", "ref", "po", "order_reference"),
            *("customer_ref", "case", "purchase_order", "file_ref", "our_ref", "file_number"),
        ),
        (
            *("The customer's own reference", "Number of the purchase order"),
            *("Reference that they give", "Their sign or file", "PO number, as written"),
            *("The customer's order number",),
            "Identifier they want on the invoice",
            "Reference of the order",
        ),
    ),
    "contact": _Asked(
        (
            *("contact", "receiver", "contact_person", "attention_of", "recipient"),
            *("site_contact", "consignee", "who_signs", "accepts", "on_site", "person_on_site"),
            *("handed_to",),
        ),
        (
            *("Who takes the delivery", "Person to ask for on site"),
            *("Person who accepts the parcel", "Name of the receiver"),
            *("Who is there when it comes", "Contact on site", "The one who signs for it"),
            *("Who receives the goods",),
        ),
    ),
    "priority": _Asked(
        (
            *("priority", "urgency", "importance", "speed", "rush", "class_of_urgency", "prio"),
            *("level",),
        ),
        (
            *("How urgent it is", "Urgency of the order", "How fast it has to go"),
            *("Level of urgency", "Importance that is stated", "How soon they want it handled"),
            *("The priority that the text names",),
        ),
        FieldType.ENUM,
        ("urgent", "high", "normal", "low"),
    ),
    "payment": _Asked(
        (
            *("payment", "pay_by", "payment_method", "paid", "pay", "method_of_payment"),
            *("paying", "settlement", "settled"),
        ),
        (
            *("How it is paid", "Means of payment", "How the customer pays", "Payment method"),
            *("In which way the money comes", "Method they name", "The way of paying"),
        ),
        FieldType.ENUM,
        ("card", "cash", "transfer"),
    ),
}
PAYMENTS: Final[Mapping[str, str]] = {
    "by card": "card",
    "in cash": "cash",
    "by bank transfer": "transfer",
    "with my credit card": "card",
    "cash on delivery": "cash",
}
"""What is said of each way to pay."""
PRIORITIES: Final = _ASKED["priority"].choices
_CORE: Final = ("customer", "product", "quantity")
_OTHERS: Final = 500
_BUILT_IN_SHARE: Final = 0.48
_DEFAULT_SHARE: Final = 0.11
_NUMBERED_SHARE: Final = 0.15


class Asked(NamedTuple):
    """A record to fill, and the slot behind each of its fields."""

    schema: RecordSchema
    slots: Mapping[str, str]


_BUILT_IN: Final = Asked(ORDER_MESSAGE, dict(zip(_CORE, _CORE, strict=True)))
_PLAIN: Final = Asked(DEFAULT, {f"field_{n}": slot for n, slot in enumerate(_CORE, start=1)})


def asked_of(seed: int, rng: random.Random, *, held_out: bool) -> Asked:
    """The record to fill from one text: often a built-in one, else one of some hundreds.

    Args:
        seed: the same seed has the same hundreds.
        rng: the chance behind the choice.
        held_out: another record than the built-in ones, of names and descriptions that no other
            call gives.
    """
    drawn = rng.random()
    if not held_out and drawn < _BUILT_IN_SHARE:
        return _BUILT_IN
    if not held_out and drawn < _BUILT_IN_SHARE + _DEFAULT_SHARE:
        return _PLAIN
    nth = rng.randrange(_OTHERS)
    return _draw_schema(seeded(seed, f"training/{held_out}/schema/{nth}"), held_out=held_out)


def _draw_schema(rng: random.Random, *, held_out: bool) -> Asked:
    slots = [slot for slot in _CORE if rng.random() < 0.8] or ["product"]
    slots += rng.sample(SLOTS[3:], rng.choice((0, 1, 1, 2, 2, 3, 4)))
    rng.shuffle(slots)
    numbered = not held_out and rng.random() < _NUMBERED_SHARE
    fields: dict[str, Field] = {}
    behind: dict[str, str] = {}
    for nth, slot in enumerate(slots[:7], start=1):
        asked = _ASKED[slot]
        name = f"field_{nth}" if numbered else _one(rng, asked.names, held_out=held_out)
        choices = list(asked.choices)
        rng.shuffle(choices)
        fields[name] = Field(
            name=name,
            type=asked.type,
            description=_one(rng, asked.descriptions, held_out=held_out),
            choices=tuple(choices),
        )
        behind[name] = slot
    schema = RecordSchema(
        name="record", version=1, description="A message to a shop", fields=tuple(fields.values())
    )
    return Asked(schema, behind)


def _one(rng: random.Random, words: Sequence[str], *, held_out: bool) -> str:
    """The last of them is kept for the held-out part."""
    return words[-1] if held_out else rng.choice(words[:-1])
