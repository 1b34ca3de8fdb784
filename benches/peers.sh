#!/bin/sh
# Installs depcollect's peers from the registries, for this alone, puts them and
# depcollect to the same work, and writes the tables of docs/compare.md and README.
# Needs root: cases are made on an overlay over the machine's root, and what is
# collected is entered by chroot. Words choose parts of it: cases, agree, list,
# copy, or versions, which measures nothing; what the others last found stays.
# Under `chrt -r 5` a busy machine disturbs it less.
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/peers"
target=$(realpath "$target")
peers=$target/peers
triple=$(uname -m)-unknown-linux-gnu

packages=$(sed -n 's/^packages //p; s/^from deb //p' benches/peers/cases.txt benches/peers/tools.txt | tr ' ' '\n' | sort -u)
# shellcheck disable=SC2086 # each word is a package
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-upgrade --no-install-recommends \
    python3-venv python3-pyelftools strace $packages >&2

for crate in $(sed -n 's/^from crate //p' benches/peers/tools.txt | sort -u); do
    [ -x "$peers/bin/$crate" ] || cargo install --locked --root "$peers" "$crate" >&2
done
if [ ! -x "$peers/lddcollect" ]; then
    /usr/bin/python3 -m venv "$peers/venv"
    # shellcheck disable=SC2046 # each word is a package
    "$peers/venv/bin/pip" install -q $(sed -n 's/^from pypi //p' benches/peers/tools.txt | sort -u) >&2
    # It asks `collections` for what Python 3.10 moved to `collections.abc`.
    cat >"$peers/lddcollect" <<END
#!$peers/venv/bin/python
import collections, collections.abc
collections.Iterable = collections.abc.Iterable
from lddcollect.__main__ import main
main()
END
    chmod 755 "$peers/lddcollect"
fi

RUSTFLAGS='-C target-feature=+crt-static -C relocation-model=static' cargo build --release --target "$triple" >&2
# A copy, as the others were installed (see run.sh).
install -D "$target/$triple/release/depcollect" "$target/$triple/release/installed/depcollect"
date="$(. /etc/os-release && echo "$PRETTY_NAME"), $(ldd --version | sed -n '1s/.* /glibc /p'), $(date +%Y-%m-%d)"
# What it starts is measured, not itself.
exec cargo bench -q --profile dev --bench peers -- "$target/$triple/release/installed/depcollect" "$peers" "$date." "$@"
