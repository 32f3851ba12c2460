use libdebug::Pid;
use libdebug_cpython::Executor;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let pid: i32 = a[1].parse().unwrap();
    let e = Executor::attach(Pid(pid));
    let n: usize = a.get(4).map_or(1, |n| n.parse().unwrap());
    let mut times = vec![];
    for _ in 0..n {
        let t = std::time::Instant::now();
        let r = if a[2] == "eval" { format!("{:?}", e.eval(&a[3])) } else { format!("{:?}", e.exec(&a[3])) };
        times.push(t.elapsed());
        if n < 10 || r.starts_with("Err") { println!("{r} {:?}", t.elapsed()); }
        if r.starts_with("Err") { break; }
    }
    times.sort();
    println!("p50 {:?} p99 {:?} max {:?}", times[times.len()/2], times[times.len()*99/100], times.last().unwrap());
}
