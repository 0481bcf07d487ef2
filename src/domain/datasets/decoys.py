"""What stands beside the wanted values: other numbers, people, dates, prices."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final

from domain.samples.people import person

_MONTHS: Final[Sequence[str]] = (
    *("January", "February", "March", "April", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
_WEEKDAYS: Final[Sequence[str]] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_STREETS: Final[Sequence[str]] = (
    *("Mill Lane", "Harbour Street", "Old Station Road", "Linden Avenue", "Church Row"),
    *("Canal Walk", "Rue des Tanneurs", "Gartenstraße", "Via Garibaldi"),
)
_GREETINGS: Final[Sequence[str]] = (
    *("Hello,", "Hi,", "Hi there,", "Good morning,", "Good afternoon,", "Dear team,"),
    *("Dear Sir or Madam,", "Dear all,", "Hello everyone,"),
)
_CLOSINGS: Final[Sequence[str]] = (
    *("Kind regards,", "Best wishes,", "Many thanks,", "Thanks in advance,", "Best,"),
    *("Yours sincerely,", "Warm regards,", "Have a nice day,"),
)
_DECIMAL_COMMA: Final = frozenset({"de", "fr", "es", "it", "pl"})


def decoys(rng: random.Random, *, count: int, customer: str, language: str) -> Mapping[str, str]:
    """Fillings for the places that state nothing; none of them is the count or the customer."""
    small = rng.sample([n for n in range(11, 99) if n != count], 3)
    earlier = rng.choice([n for n in (3, 4, 5, 7, 9, 10, *range(12, 61)) if n != count])
    others = [person(rng).name for _ in range(4)]
    cents = rng.choice(("00", "50", "90", "95"))
    return {
        "n1": str(small[0]),
        "n2": str(small[1]),
        "n3": str(small[2]),
        "n4": str(rng.randint(4001, 9999)),
        "n4b": str(rng.randint(4001, 9999)),
        "n6": str(rng.randint(100_000, 999_999)),
        "earlier": str(earlier),
        "price": f"{rng.randint(4, 240)}{',' if language in _DECIMAL_COMMA else '.'}{cents}",
        "yen": f"{rng.randint(2, 30)},{rng.choice(('480', '800', '980'))}",
        "phone": f"+44 20 7946 0{rng.randint(100, 999)}",
        "day": str(rng.randint(2, 28)),
        "date": f"{rng.randint(2, 28)} {rng.choice(_MONTHS)}",
        "month": rng.choice(_MONTHS),
        "weekday": rng.choice(_WEEKDAYS),
        "time": f"{rng.randint(8, 18)}:{rng.choice(('00', '15', '30', '45'))}",
        "street": f"{rng.randint(101, 199)} {rng.choice(_STREETS)}",
        "other_person": next((name for name in others if name != customer), "Tom Delaney"),
        "hi": rng.choice(_GREETINGS),
        "bye": rng.choice(_CLOSINGS),
    }
