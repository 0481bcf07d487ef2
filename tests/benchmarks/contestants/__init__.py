"""The contestants, one module each, and the process that runs one of them.

A module has `reading(task)`: an asynchronous context manager that gives a function from a text to
the record `(customer, product, quantity)`; the function raises when there is none. The modules of
other libraries run in an environment of their own (`.venv-bench`), which has nothing of ours.
"""
