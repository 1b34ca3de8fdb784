#!/bin/bash
# make-roots.sh DIR NAME...: Debian roots for the tests to look into, one below
# DIR for each NAME: ARCH (of Debian 12) or SUITE-ARCH, as in
#
#     tests/make-roots.sh /tmp/roots arm64 s390x i386 trixie-amd64 bullseye-amd64
#
# needs-amd64 holds the programs that are shown to need more than they load; its
# packages are configured, which takes some minutes. needs-large-amd64 has drivers
# of graphics and the like, for a test that runs only where this root is given.
#
# Packages are unpacked and nothing of the others is run, so there is no ld.so.cache.
# Where this machine cannot run the root's programs, a static qemu stands at its
# top. What is there already is kept. On stdout: what DEPCOLLECT_ROOTS wants.
# Needs root, mmdebstrap, and qemu-user-static for machines that are not x86.
set -euo pipefail

packages=libc6,libc-bin,coreutils,bash,git,python3-minimal

# Interpreters, then programs by the rules that they show.
needs=python3,libpython3.11,perl,ruby,php-cli,php-mbstring,php-xml,php-sqlite3,nodejs
needs+=,default-jre-headless,lua5.4,lua5.3,lua-cjson,lua-lpeg,tcl,gawk,mawk
needs+=,openssl,ca-certificates,curl,gnutls-bin,libnss3-tools,krb5-user,ldap-utils,libldap-common
needs+=,sasl2-bin,libsasl2-modules,pamtester,openssh-client,git
needs+=,libmariadb3,postgresql-client,unixodbc,odbcinst,odbc-postgresql
needs+=,libglib2.0-bin,glib-networking,gsettings-desktop-schemas,libgdk-pixbuf2.0-bin,librsvg2-common
needs+=,fontconfig,fonts-dejavu-core,ghostscript,imagemagick-6.q16,gstreamer1.0-tools,gstreamer1.0-plugins-base
needs+=,alsa-utils,file,hunspell,hunspell-en-us,iptables,ncurses-bin,nginx-light,libnginx-mod-stream
needs+=,netbase,pciutils,proj-bin,rpcbind,shared-mime-info,tzdata
needs+=,aspell,aspell-en,enchant-2,gdal-bin,gdb,gnupg,libgpgme11,libsnmp-base,p11-kit,snmp,zsh

large=vulkan-tools,mesa-vulkan-drivers,libegl1,libegl-mesa0,libgl1-mesa-dri,clinfo,pocl-opencl-icd
large+=,openmpi-bin,libqt5gui5,libqt5sql5-sqlite,libqt5network5

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
    local dir=$1 name=$2 suite=bookworm arch=${2##*-} variant=extract include=$packages qemu part
    case $name in
    needs-large-*) include=$large ;;
    needs-*) variant=minbase include=$needs ;;
    *-*) suite=${name%-*} ;;
    esac
    part=$dir/.$name.part
    rm -rf "$part"
    qemu=$(qemu_of "$arch")
    if [ -n "$qemu" ] && [ ! -x "/usr/bin/qemu-$qemu-static" ]; then
        echo "make-roots: $name: there is no qemu-$qemu-static (package qemu-user-static)" >&2
        return 1
    fi
    if ! mmdebstrap --quiet --variant="$variant" --architectures="$arch" --include="$include" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
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
