#!/bin/sh
# test.sh [PYTEST-ARGUMENT...]: the tests; without arguments the whole suite with its two gates,
# both from one run: the domain is covered to the last branch, the rest to 90 %.
#
# The files are shared out among as many processes as there are cores, 2 to 4: with one, half of the
# time would be spent waiting; with more, tests that look at the clock would wait for one another.
# They are begun in the order of conftest.py, the longest first: xdist's own order, by the number of
# tests, would begin those of one long test last, when there is nothing else left to do.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
if [ $# -gt 0 ]; then
    exec python -m pytest "$@"
fi
processes=$(getconf _NPROCESSORS_ONLN)
[ "$processes" -ge 2 ] || processes=2
[ "$processes" -le 4 ] || processes=4
# The tests start some hundred processes, and each would compile every module anew.
unset PYTHONDONTWRITEBYTECODE
python -m coverage erase
python -m pytest -n "$processes" --dist loadfile --no-loadscope-reorder --cov --cov-report=
missed=0
echo "Coverage of the domain (100 % wanted):"
python -m coverage report --include='src/domain/*' --fail-under=100 --skip-covered || missed=1
echo "Coverage of the rest (90 % wanted):"
python -m coverage report --omit='src/domain/*' --fail-under=90 --skip-covered || missed=1
exit $missed
