"""Customers' messages with the orders in them, and where each value stands."""
