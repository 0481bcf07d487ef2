#!/bin/sh
# lock.sh [UV-OPTION...]: compile the locks of requirements/ from pyproject.toml; `--upgrade` moves
# every pin to the newest version that pyproject.toml allows.
#
# dev.txt holds everything. Parts of it with the same pins are up.txt (what `storekeeper up` and the
# walks of the documentation need), core.txt (what `serve` and `worker` need on servers of their own)
# and server.txt (the same with the charts of pages and the reports of comparisons); bench.txt (the
# contestants of the benchmarks) and infra.txt (the programs that try infra/) agree with it wherever
# both name a package. All are for every platform and Python from 3.11, carry hashes, and name no
# index.
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv

compile() {
    output=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate "$@" -o "requirements/$output"
}

compile dev.txt pyproject.toml --all-extras --group build --group model --group dev "$@"
compile up.txt pyproject.toml --extra charts --extra embedded --extra local --extra statistics \
    --group build --group model -c requirements/dev.txt
compile server.txt pyproject.toml --extra charts --extra statistics --group build -c requirements/dev.txt
compile core.txt pyproject.toml --group build -c requirements/dev.txt
compile bench.txt --group bench -c requirements/dev.txt
compile infra.txt --group infra -c requirements/dev.txt
echo "uv==$("$uv" --version | cut -d ' ' -f 2)" > requirements/uv.in
compile uv.txt requirements/uv.in
rm requirements/uv.in
