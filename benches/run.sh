#!/bin/sh
# Builds the static binary, installs what it is compared with from Debian's
# packages, measures, and prints the table of benches/README.md as Markdown.
# Words choose parts of it: one, bin, tree, growth, calls, copy, check.
set -eu
cd "$(dirname "$0")/.."

missing=
for tool in libtree strace curl gdb git ffmpeg python3; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
[ -x /usr/bin/time ] || missing="$missing time"
[ -x /usr/lib/dracut/dracut-install ] || missing="$missing dracut-core"
command -v lddtree >/dev/null || missing="$missing pax-utils python3-pyelftools"
command -v mmdebstrap >/dev/null || missing="$missing mmdebstrap"
if [ -n "$missing" ]; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    # shellcheck disable=SC2086 # each word is a package
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y --no-install-recommends $missing >&2
fi

target=$(uname -m)-unknown-linux-gnu
export RUSTFLAGS='-C target-feature=+crt-static -C relocation-model=static'
cargo build --release --target "$target" >&2
built=${CARGO_TARGET_DIR:-target}/$target/release
# A copy, as the others were installed: what a linker wrote piece by piece lies
# in small pieces in the page cache, and starts a tenth of a millisecond later.
out=$built/installed/depcollect
install -D "$built/depcollect" "$out"

# The smallest Debian there is, for what is checked.
root=$built/debian
if [ ! -d "$root" ]; then
    mmdebstrap --quiet --variant=minbase "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root.new" >&2
    mv "$root.new" "$root"
fi
export DEPCOLLECT_BENCH_ROOT="$root"

printf '%s, %s CPUs, Linux %s, %s; %s; %s; %s; %s\n' \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)" \
    "$(. /etc/os-release && echo "$PRETTY_NAME")" "$(ldd --version | head -n 1)" \
    "libtree $(libtree --version)" "$(rustc --version)" "$(date +%Y-%m)"
exec cargo bench -q --target "$target" --bench speed -- "$out" "$@"
