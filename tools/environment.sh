#!/bin/sh
# Makes the virtual environment $VENV with the package and the extras $EXTRAS, by uv where it is installed, by venv and
# pip otherwise. Looks for a Python that is new enough and says in one line where there is none.
set -eu

fits() {
    "$1" -c 'import sys, venv, ensurepip; raise SystemExit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

find_python() {
    for candidate in "${PYTHON_BIN:-}" python3 python3.14 python3.13 python3.12 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 && fits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    echo "pp_mlekl needs Python 3.12 or newer and found none; install one, or name it: PYTHON_BIN=/path/to/python make" >&2
    exit 1
}

if [ -n "${PYTHON_BIN:-}" ] && ! fits "$PYTHON_BIN"; then
    echo "PYTHON_BIN=$PYTHON_BIN is no Python 3.12 or newer; name another, or leave it out" >&2
    exit 1
fi

# An environment that works is brought up to date; one that is broken or too old is made again.
if ! fits "$VENV/bin/python"; then
    python=$(find_python)
    echo "environment: $VENV with $("$python" --version), a minute or two"
    if command -v uv >/dev/null 2>&1; then
        uv venv --quiet --clear --python "$python" "$VENV"
    else
        "$python" -m venv --clear "$VENV"
    fi
else
    echo "environment: bringing $VENV up to date"
fi

if command -v uv >/dev/null 2>&1; then
    uv pip install --quiet --python "$VENV/bin/python" --constraint constraints.txt --editable ".[$EXTRAS]"
else
    # Twice quiet: errors only.
    "$VENV/bin/python" -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable ".[$EXTRAS]"
fi
