"""The three jobs, once each through the public API and the commands."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from entrypoints.demo.journal import Journal

_MESSAGES: Final = (
    "Hi, Maria Lopez here. Could we get 24 oat milk cartons by friday?",
    "hello!! this is Tom Becker again, pls send 3 wool blankets to the shop, thx",
    "Good morning, we need 12 beeswax candles. Kind regards, Priya Nair",
)
_COMPLAINT: Final = {
    "description": "A customer's complaint",
    "fields": [
        {
            "name": "order_number",
            "type": "string",
            "description": "Number of the order that the complaint is about",
            "pattern": "^[0-9]{4,8}$",
        },
        {"name": "product", "type": "string", "description": "What the complaint is about"},
    ],
}


def records(journal: Journal) -> None:
    """Users and orders: written once whatever is retried, changed by one at a time."""
    journal.title("Records")
    ada = {"name": "Ada Lovelace", "email": "ada@example.com"}
    once = {"Idempotency-Key": "demo-ada"}
    made = journal.request("POST", "/users", ada, wanted=201, headers=once)
    journal.request("POST", "/users", ada, wanted=201, headers=once)
    user, tag = made.json(), made.headers["ETag"]
    path = f"/users/{user['id']}"
    journal.request("PATCH", path, {"name": "Countess"}, wanted=200, headers={"If-Match": tag})
    journal.request("PATCH", path, {"name": "Late"}, wanted=412, headers={"If-Match": tag})
    chair = {"user_id": user["id"], "product_name": "oak chair", "quantity": 2}
    order = journal.request("POST", "/orders", chair, wanted=201).json()
    journal.request("GET", f"/orders?user_id={user['id']}", wanted=200)
    journal.request("GET", "/users?limit=3", wanted=200)
    journal.write("records.json")

    journal.title("Refusals")
    bad = {"name": " ", "email": "nobody", "colour": "red"}
    journal.request("POST", "/users", bad, wanted=422)
    journal.request("POST", "/users", {**ada, "email": "ADA@example.com"}, wanted=409)
    journal.request("POST", "/orders", {**chair, "user_id": 2**31 - 1}, wanted=422)
    journal.request("DELETE", path, wanted=409)
    journal.request("GET", "/users/0", wanted=404)
    journal.request("GET", "/users?limit=1000", wanted=422)
    journal.request("DELETE", f"/orders/{order['id']}", wanted=204)
    journal.request("DELETE", path, wanted=204)
    journal.write("refusals.json")


def extraction(journal: Journal) -> None:
    """Messages become records by the model that runs on this machine."""
    journal.title("Extraction")
    for text in _MESSAGES:
        journal.request("POST", "/extractions", {"text": text}, wanted=200)
    journal.request("PUT", "/extraction-schemas/complaint", _COMPLAINT, wanted=201)
    text = "Order 48213 arrived yesterday, but the oak chair has a crack."
    found = {"text": text, "schema": "complaint"}
    made = journal.request("POST", "/extractions", found, wanted=200).json()
    journal.request("GET", f"/extractions/{made['id']}", wanted=200)
    journal.write("extractions.json")


def insights(journal: Journal, today: date) -> None:
    """Searches are written down, and a day's insight is computed from them.

    Args:
        journal: shows, checks and keeps the steps.
        today: the present UTC day.
    """
    journal.title("Search insights")
    day = (today - timedelta(days=1)).isoformat()
    rows = [
        {"search_query": "wool blanket", "clicks": 12, "impressions": 80, "search_date": day},
        {"search_query": "garden gnome", "clicks": 0, "impressions": 45, "search_date": day},
    ]
    journal.request("POST", "/search-clicks", rows, wanted=201)
    journal.request("POST", f"/search-insights/{day}", wanted=200)
    journal.request("GET", f"/search-insights/{day}", wanted=200)
    journal.request("GET", "/search-insights/live", wanted=200)
    journal.write("insights.json")


def commands(journal: Journal) -> None:
    """What the command line says about the same stack."""
    journal.title("Commands")
    journal.command("db", "status")
    journal.write("insights.txt", journal.command("insights", "analyse"))
    journal.write("doctor.txt", journal.command("doctor"))
