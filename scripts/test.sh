#!/bin/sh
# test.sh [PYTEST-ARGUMENT...]: the tests; without arguments the whole suite with its two gates,
# both from one run: the domain is covered to the last branch, the rest to 90 %.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
if [ $# -gt 0 ]; then
    exec python -m pytest "$@"
fi
python -m coverage erase
python -m pytest --cov --cov-report=
missed=0
echo "Coverage of the domain (100 % wanted):"
python -m coverage report --include='src/domain/*' --fail-under=100 --skip-covered || missed=1
echo "Coverage of the rest (90 % wanted):"
python -m coverage report --omit='src/domain/*' --fail-under=90 --skip-covered || missed=1
exit $missed
