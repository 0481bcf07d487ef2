"""Demonstrations over a stack of their own."""
