#!/bin/sh
# Writes small files to begin with into fuzz/corpus: seeds.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > seed.c <<'SOURCE'
struct node { struct node *next; int values[2]; unsigned flag : 3; };
struct node shared = {0, {1, 2}, 3};
static inline int half(int n) { return n / 2; }
int twice(int n, double by) { struct node one = shared; return one.values[1] + half(n) + (int)by; }
int _start(void) { return twice(3, 1.5); }
SOURCE
build() { gcc -nostdlib -static -Wl,-z,noseparate-code -Wl,--build-id=none "$@" seed.c; }
build -g -O0 -o dwarf5
build -gdwarf-4 -O2 -o dwarf4
build -g -gz=zlib -o compressed
build -o mini
xz -k mini
cp mini packed
strip packed
objcopy --add-section .gnu_debugdata=mini.xz packed
objcopy --add-gnu-debuglink=dwarf5 packed
for target in symbols functions lines variables debug_link mini_debug_info; do
    mkdir -p "$here/corpus/$target"
    cp dwarf5 dwarf4 compressed packed "$here/corpus/$target"
done
mkdir -p "$here/corpus/demangle"
printf 'N5shape4areaEid' > "$here/corpus/demangle/cpp"
printf 'St4pairISt6vectorIiSaIiEES2_E' > "$here/corpus/demangle/template"
printf 'NvCs15kBYyAo9fc_7mycrate7example' > "$here/corpus/demangle/rust"
printf 'N4core3fmt5write17h01234567890abcdeE' > "$here/corpus/demangle/legacy"
