"""Benchmarks of the extraction: `make bench`. They are no tests and pytest does not collect them.

A fake provider runs as a process of its own, each contestant as another; all get the same texts,
prompt, schema, concurrency and retries, and are run in turn, so that ratios within a run mean
something on a busy machine.
"""
