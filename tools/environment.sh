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

python=$(find_python)
echo "environment: $VENV with $("$python" --version)"
if command -v uv >/dev/null 2>&1; then
    uv venv --quiet --clear --python "$python" "$VENV"
    uv pip install --quiet --python "$VENV/bin/python" --constraint constraints.txt --editable ".[$EXTRAS]"
else
    "$python" -m venv --clear "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$EXTRAS]"
fi
