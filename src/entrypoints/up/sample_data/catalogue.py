"""What the made-up shop sells: things for home, table and desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple


class Product(NamedTuple):
    """A product.

    Attributes:
        name: as it stands on an order.
        search: what people type to find it, lower case.
        category: what people type to find its kind, lower case.
    """

    name: str
    search: str
    category: str


def _products(category: str, *entries: str) -> Sequence[Product]:
    """Each entry is `Name=search words`; the best seller of the category first."""
    pairs = (entry.partition("=") for entry in entries)
    return [Product(name, search, category) for name, _, search in pairs]


PRODUCTS: Final[Sequence[Product]] = [
    product
    for of_rank in zip(
        _products(
            "bedding",
            "Merino Wool Blanket, grey=wool blanket",
            "Linen Duvet Cover 240x220=linen duvet cover",
            "Goose Down Pillow=down pillow",
            "Organic Cotton Sheet Set=cotton sheets",
            "Weighted Blanket 7 kg=weighted blanket",
            "Bamboo Mattress Topper=mattress topper",
            "Silk Pillowcase=silk pillowcase",
            "Quilted Throw, moss green=quilted throw",
        ),
        _products(
            "kitchen",
            "French Press 1 l=french press",
            "Chef's Knife 20 cm=chef knife",
            "Cast Iron Skillet 26 cm=cast iron pan",
            "Crème Brûlée Ramekins=creme brulee ramekins",
            "Enamel Dutch Oven 4.5 l=dutch oven",
            "Bread Proofing Basket=proofing basket",
            "Digital Kitchen Scale=kitchen scale",
            "Mandoline Slicer=mandoline",
        ),
        _products(
            "lighting",
            "Desk Lamp Ångström=desk lamp",
            "LED Bulb E27, warm white=led bulb e27",
            "Paper Pendant Lamp 60 cm=paper lamp",
            "Motion Sensor Night Light=night light",
            "String Lights 10 m=string lights",
            "Reading Lamp with Clip=clip lamp",
            "Candle Lantern, brass=candle lantern",
            "Floor Lamp Oslo=floor lamp",
        ),
        _products(
            "office",
            "Standing Desk Converter=standing desk",
            "Wireless Mouse M2=wireless mouse",
            "USB-C Hub 7-in-1=usb c hub",
            "Dotted Notebook A5=dotted notebook",
            "Oak Monitor Stand=monitor stand",
            "Mechanical Keyboard K75=mechanical keyboard",
            "Ergonomic Footrest=footrest",
            "Fountain Pen, fine=fountain pen",
        ),
        _products(
            "furniture",
            "Oak Dining Chair=oak chair",
            "Folding Balcony Table=balcony table",
            "Shoe Rack, 4 tiers=shoe rack",
            "Bookshelf Ladder, walnut=ladder bookshelf",
            "Round Jute Rug 120 cm=jute rug",
            "Bar Stool, beech=bar stool",
            "Wall Mirror, round=round mirror",
            "Storage Bench=storage bench",
        ),
        _products(
            "garden",
            "Herb Planter Box=planter box",
            "Rain Barrel 200 l=rain barrel",
            "Garden Hose 25 m=garden hose",
            "Pruning Shears=pruning shears",
            "Solar Path Lights=solar lights",
            "Bird Feeder, cedar=bird feeder",
            "Compost Bin=compost bin",
            "Picnic Blanket, waterproof=picnic blanket",
        ),
        strict=True,
    )
    for product in of_rank
]
"""By popularity: every category's best seller before any second one."""

NOT_SOLD: Final[Sequence[str]] = [
    "gift card",
    "delivery status",
    "iphone charger",
    "black friday",
    "ikea billy",
    "return label",
    "air fryer",
    "espresso machine",
    "customer service",
    "student discount",
    "kids bike",
    "gaming chair",
]
"""What people look for in vain: searched often, hardly ever clicked."""

MISSPELT: Final[Mapping[str, str]] = {
    "wool blanket": "wol blanket",
    "french press": "frensh press",
    "standing desk": "standig desk",
    "desk lamp": "desk lmap",
    "mechanical keyboard": "mecanical keybord",
    "cast iron pan": "cast irn pan",
    "fountain pen": "fountan pen",
    "mattress topper": "matress topper",
    "wireless mouse": "wirless mouse",
    "pruning shears": "pruning sheers",
}
"""Spellings that the shop's search does not forgive."""

TRANSLATED: Final[Mapping[str, str]] = {
    "wolldecke": "wool blanket",
    "schreibtischlampe": "desk lamp",
    "höhenverstellbarer schreibtisch": "standing desk",
    "couverture en laine": "wool blanket",
    "cafetière à piston": "french press",
    "lámpara de escritorio": "desk lamp",
    "silla de roble": "oak chair",
    "ウールブランケット": "wool blanket",
    "настольная лампа": "desk lamp",
    "lampka biurkowa": "desk lamp",
}
"""Searches in other languages, of which the shop understands little."""
