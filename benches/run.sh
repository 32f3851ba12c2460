#!/bin/sh
# What `make bench` calls: the peer in an environment of its own, the Rust driver if there is one, then the table.
# Arguments go to run.py. PYTHON names the interpreter that has this project's package.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
python=${PYTHON:-$root/.venv/bin/python}
[ -x "$python" ] || python=$(command -v python3)

peer=$here/.peer-venv
if ! "$peer/bin/python" -c 'from importlib.metadata import version; assert version("libdebug") == "0.9.0"' 2>/dev/null; then
    { "$python" -m venv "$peer" && "$peer/bin/python" -m pip install --quiet libdebug==0.9.0; } ||
        echo "benches: the peer could not be installed; the table will name it as absent" >&2
fi

rust=${CARGO_TARGET_DIR:-$root/target}/release/examples/bench
if [ -e "$root/crates/libdebug/examples/bench.rs" ]; then
    (cd "$root" && cargo build --quiet --release -p libdebug --example bench) ||
        echo "benches: the Rust driver could not be built; the table will name it as absent" >&2
fi

exec "$python" "$here/run.py" --rust "$rust" "$@"
