#!/bin/sh
# bench.sh [OPTION...]: the benchmarks of tests/benchmarks; `bench.sh --help` lists the options.
#
# The other libraries that they compare with live in .venv-bench, made here from
# requirements/bench.txt; nothing of them is installed where the service runs.
set -eu
cd "$(dirname "$0")/.."
stamp=.venv-bench/.installed
wanted=$({ cat requirements/bench.txt; .venv/bin/python -VV; } | cksum)
if [ "$(cat "$stamp" 2> /dev/null)" != "$wanted" ]; then
    echo "Installing requirements/bench.txt into .venv-bench ..."
    rm -rf .venv-bench
    index=${PIP_INDEX_URL:-$(.venv/bin/python -m pip config get global.index-url 2> /dev/null || true)}
    if [ -z "${UV_DEFAULT_INDEX:-}" ] && [ -n "$index" ]; then
        export UV_DEFAULT_INDEX="$index"
    fi
    .venv/bin/uv --no-progress venv --quiet --python .venv/bin/python .venv-bench
    VIRTUAL_ENV="$PWD/.venv-bench" .venv/bin/uv --no-progress pip sync --quiet --no-build \
        --require-hashes requirements/bench.txt
    echo "$wanted" > "$stamp"
fi
exec .venv/bin/python -m tests.benchmarks "$@"
