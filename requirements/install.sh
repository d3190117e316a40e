#!/bin/sh
# Makes .venv and installs a lock file into it, only when that has changed.
# Usage: requirements/install.sh base|dev
set -eu
cd "$(dirname "$0")/.."
want=$1
venv=${VENV:-.venv}
lock=requirements/$want.txt
# The development lock holds everything that the base lock does.
for stamp in "$venv/installed-$want.txt" "$venv/installed-dev.txt"; do
    other=requirements/${stamp##*installed-}
    if cmp -s "$stamp" "$other" && [ -x "$venv/bin/python" ]; then exit 0; fi
done

find_python() {
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    if ! python=$(find_python); then
        echo "Python 3.11 or newer is needed and was not found." >&2
        echo "  Debian, Ubuntu: sudo apt install python3 python3-venv" >&2
        echo "  or name it:     make PYTHON=/path/to/python3.12 ..." >&2
        exit 1
    fi
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    missing=$("$python" -c '
import importlib.util as u
print(" ".join(n for n in ("venv", "ensurepip") if u.find_spec(n) is None))')
    if [ -n "$missing" ]; then
        echo "$python lacks the module(s): $missing. Without them no .venv can be made." >&2
        echo "  Debian, Ubuntu: sudo apt install python$version-venv" >&2
        exit 1
    fi
    echo "Making $venv with Python $version ($python)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi

total=$(grep -c '^[a-z0-9].*==' "$lock")
echo "Installing up to $total packages from $lock"
log=$venv/install.log
{
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input \
        --require-hashes --only-binary :all: -r "$lock" || echo "pip ended with $?"
} 2>&1 | tee "$log" | awk '
    /^(Collecting|Requirement already satisfied)/ && ++n % 10 == 0 { print "  " n " packages found"; fflush() }
    /^Installing collected packages/ { print "  unpacking"; fflush() }'
if tail -n 1 "$log" | grep -q '^pip ended with'; then
    cat "$log" >&2
    echo "The packages could not be installed: see above." >&2
    exit 1
fi
cp "$lock" "$venv/installed-$want.txt"
echo "Installed into $venv"
