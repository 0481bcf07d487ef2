"""Texts to tune a model with: composed of parts, of other words, names and goods than the set's."""
