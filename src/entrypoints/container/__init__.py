"""The composition root: the only package that names adapters.

`services` is the graph of everything that the server, the worker and commands use over the stores;
`models` says which language models the settings name; `comparison` opens the contestants of
`storekeeper compare`, which needs no store; `embedded` makes the servers of `storekeeper up`, which
start faster without the rest; `commands` has what single commands use without any of these.
"""
