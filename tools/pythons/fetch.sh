#!/bin/sh
# Fetch newer CPythons than the system has, for the tests that look into Python programs.
#
#   tools/pythons/fetch.sh DIRECTORY [VERSION...]        by default 3.13 3.14 3.15
#
# Debian's packages of its unstable release are unpacked into DIRECTORY, with the C library that they need; nothing is
# installed. Each gets a script that runs it through its own loader. The last line printed is for the shell:
#
#   eval "$(tools/pythons/fetch.sh /tmp/pythons | tail -1)"; make test-python
set -eu

[ $# -ge 1 ] || { sed -n '2,4s/^# *//p' "$0" >&2; exit 2; }
mkdir -p "$1"
directory=$(realpath "$1")
shift
[ $# -ge 1 ] || set -- 3.13 3.14 3.15

# An apt of its own: lists, cache and sources of the system stay as they are.
state=$directory/.apt
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/packages"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] http://deb.debian.org/debian sid main" > "$state/sources.list"
cat > "$state/apt.conf" <<END
Dir::Etc::sourcelist "$state/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$state/lists";
Dir::Cache "$state/cache";
END
export APT_CONFIG="$state/apt.conf"
apt-get --quiet update

cd "$state/packages"
for version in "$@"; do
    apt-get --quiet download "python$version-minimal" "libpython$version-minimal" "libpython$version-stdlib"
done
apt-get --quiet download libc6 zlib1g libexpat1 libgcc-s1 libffi8 libzstd1
for package in *.deb; do
    dpkg-deb --extract "$package" "$directory/root"
done

libraries=$directory/root/usr/lib/x86_64-linux-gnu
list=
for version in "$@"; do
    cat > "$directory/python$version" <<END
#!/bin/sh
export PYTHONHOME=$directory/root/usr
exec $libraries/ld-linux-x86-64.so.2 --argv0 python$version --library-path $libraries \\
    $directory/root/usr/bin/python$version "\$@"
END
    chmod +x "$directory/python$version"
    "$directory/python$version" --version
    list=$list:$directory/python$version
done
echo "export LIBDEBUG_PYTHONS=${list#:}"
