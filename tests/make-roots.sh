#!/bin/bash
# make-roots.sh DIR NAME...: Debian roots for the tests to look into, one below
# DIR for each NAME: ARCH (of Debian 12) or SUITE-ARCH, as in
#
#     tests/make-roots.sh /tmp/roots arm64 s390x i386 trixie-amd64 bullseye-amd64
#
# Packages are unpacked and nothing of them is run, so there is no ld.so.cache.
# Where this machine cannot run the root's programs, a static qemu stands at its
# top. What is there already is kept. On stdout: what DEPCOLLECT_ROOTS wants.
# Needs root, mmdebstrap, and qemu-user-static for machines that are not x86.
set -euo pipefail

packages=libc6,libc-bin,coreutils,bash,git,python3-minimal

usage() {
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}

# The mirror is the one that apt uses already.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' |
        grep -v -e security -e '^file:' | head -n 1
}

# The name that qemu has for an architecture of Debian; none for what runs here.
qemu_of() {
    case $1 in
    amd64 | i386) ;;
    arm64) echo aarch64 ;;
    armhf | armel) echo arm ;;
    ppc64el) echo ppc64le ;;
    *) echo "$1" ;;
    esac
}

make_root() {
    local dir=$1 name=$2 suite=bookworm arch=$2 qemu part
    case $name in *-*) suite=${name%-*} arch=${name##*-} ;; esac
    part=$dir/.$name.part
    rm -rf "$part"
    qemu=$(qemu_of "$arch")
    if [ -n "$qemu" ] && [ ! -x "/usr/bin/qemu-$qemu-static" ]; then
        echo "make-roots: $name: there is no qemu-$qemu-static (package qemu-user-static)" >&2
        return 1
    fi
    if ! mmdebstrap --quiet --variant=extract --architectures="$arch" --include="$packages" \
        "$suite" "$part" "deb $mirror $suite main" >"$dir/.$name.log" 2>&1; then
        echo "make-roots: $name: mmdebstrap failed:" >&2
        tail -n 20 "$dir/.$name.log" >&2
        return 1
    fi
    if [ -n "$qemu" ]; then
        cp "/usr/bin/qemu-$qemu-static" "$part/"
    fi
    rm -f "$dir/.$name.log"
    mv -T "$part" "$dir/$name"
}

[ $# -ge 2 ] || usage
dir=$1
shift
mkdir -p "$dir"
dir=$(realpath "$dir")
mirror=$(mirror || true)
[ -n "$mirror" ] || { echo "make-roots: apt knows no mirror (run apt-get update)" >&2; exit 1; }

# Two at a time: one waits for the mirror while the other unpacks.
running=0
for name; do
    [ -e "$dir/$name" ] && continue
    make_root "$dir" "$name" &
    running=$((running + 1))
    if [ "$running" -ge 2 ]; then
        wait -n
        running=$((running - 1))
    fi
done
while [ "$running" -gt 0 ]; do
    wait -n
    running=$((running - 1))
done

roots=$(printf ":$dir/%s" "$@")
echo "${roots#:}"
