//! Work of many kinds, for ever: `work [THREADS]`.
use std::collections::{BTreeMap, HashMap};

#[inline(never)]
fn maps(seed: u64) -> usize {
    let map: HashMap<u64, String> = (0..200).map(|n| (n * seed, format!("{n:x}-{seed}"))).collect();
    let tree: BTreeMap<&str, u64> = map.iter().map(|(n, text)| (text.as_str(), *n)).collect();
    tree.range("5".."8").count()
}

#[inline(never)]
fn sorted(seed: u64) -> u64 {
    let mut values: Vec<u64> = (0..500).map(|n| n * seed % 1009).collect();
    values.sort_by_key(|value| value ^ seed);
    values.dedup();
    values.iter().rev().take(10).sum()
}

#[inline(never)]
fn recursive(depth: u64, visit: &dyn Fn(u64) -> u64) -> u64 {
    if depth == 0 { visit(depth) } else { recursive(depth - 1, visit) ^ visit(depth) }
}

#[inline(never)]
fn panics(seed: u64) -> bool {
    std::panic::catch_unwind(|| {
        let text = format!("{seed}");
        assert!(seed % 7 != 0, "{text}");
        text.len()
    })
    .is_ok()
}

fn work() {
    let mut sum = 0;
    for seed in 1.. {
        sum += maps(seed) as u64 + sorted(seed) + recursive(seed % 30, &|n| sorted(n + 1));
        sum += u64::from(panics(seed));
        std::hint::black_box(sum);
    }
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let threads: u32 = std::env::args().nth(1).map_or(0, |text| text.parse().unwrap());
    for _ in 0..threads {
        std::thread::spawn(work);
    }
    if threads > 0 { std::thread::sleep(std::time::Duration::from_secs(3600)) } else { work() }
}
