"""Benchmarks of the search insights: a log of ten million rows in PostgreSQL."""
