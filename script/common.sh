# What script/up and script/test share: find Python, make the virtual environment, install what is pinned.
# Sourced by bash with the checkout as the working directory. Sets VENV and PYTHON.

VENV=${STAGEPASS_VENV:-$PWD/.venv}
PYTHON=$VENV/bin/python

say() { printf '%s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

recent_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local name
    for name in ${STAGEPASS_PYTHON:-} python3.14 python3.13 python3.12 python3.11 python3 python; do
        if command -v "$name" >/dev/null 2>&1 && recent_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    say "Stagepass needs Python 3.11 or newer, and none was found on PATH."
    say "Install it (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: STAGEPASS_PYTHON=/path/to/python3"
    return 1
}

make_venv() {
    local python
    if [ -e "$VENV" ]; then
        [ -x "$PYTHON" ] || fail "$VENV is not a virtual environment. Remove it, or set STAGEPASS_VENV to another place."
        recent_enough "$PYTHON" || fail "$VENV has no working Python 3.11 or newer. Remove it and start again."
        return
    fi
    python=$(find_python) || exit 1
    say "Making $VENV with $("$python" --version) ..."
    if ! "$python" -m venv --without-pip "$VENV"; then
        rm -rf "$VENV"
        fail "Making a virtual environment failed (see above). On Debian or Ubuntu: apt-get install python3-venv"
    fi
    touch "$VENV/.made-by-stagepass"
}

# Distributions take ensurepip out of Python; any pip of the system can install into the environment instead.
run_pip() {
    if ! "$PYTHON" -m pip --version >/dev/null 2>&1; then
        "$PYTHON" -m ensurepip --default-pip >/dev/null 2>&1 || true
    fi
    if "$PYTHON" -m pip --version >/dev/null 2>&1; then
        "$PYTHON" -m pip --disable-pip-version-check "$@"
    elif command -v pip3 >/dev/null 2>&1 && pip3 --python "$PYTHON" --version >/dev/null 2>&1; then
        pip3 --disable-pip-version-check --python "$PYTHON" "$@"
    elif command -v uv >/dev/null 2>&1; then
        shift && uv pip install --python "$PYTHON" "$@"
    else
        say "This Python comes without pip. On Debian or Ubuntu: apt-get install python3-venv python3-pip"
        return 1
    fi
}

digest_of() { "$PYTHON" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"; }

# install_requirements FILE...: only when one of them differs from what this environment was last given.
install_requirements() {
    local file arguments=() changed=0
    [ -z "${STAGEPASS_VENV:-}" ] || [ -e "$VENV/.made-by-stagepass" ] || return 0  # somebody else's: used as it is
    for file in "$@"; do
        arguments+=(-r "$file")
        [ "$(cat "$VENV/.installed-$file" 2>/dev/null)" = "$(digest_of "$file")" ] || changed=1
    done
    [ "$changed" = 1 ] || return 0
    say "Installing $* ..."
    run_pip install --quiet --require-hashes "${arguments[@]}" ||
        fail "Installing $* failed (see above). Is there a network, and does pip know your package index?"
    for file in "$@"; do
        digest_of "$file" >"$VENV/.installed-$file"
    done
}

# Puts `stamp` (iep/stamp) into the environment as it stands in this checkout: nothing to build, nothing to download.
link_stamp() {
    [ -e "$VENV/.made-by-stagepass" ] || return 0  # somebody else's: used as it is
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$(cd "$VENV" && pwd)/bin/python" "$PWD/iep/stamp" >"$VENV/bin/stamp"
    chmod +x "$VENV/bin/stamp"
}
