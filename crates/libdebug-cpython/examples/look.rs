use libdebug::{Debugger, Pid};
fn main() {
    let pid: i32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let t = std::time::Instant::now();
    let d = Debugger::new().unwrap();
    d.attach(Pid(pid), false).unwrap();
    println!("attach {:?}", t.elapsed());
    for th in d.threads() {
        let r = |n: &str| th.register(n).unwrap().as_u64().unwrap() as i64;
        println!("tid {} rax {} orig {} ", th.tid(), r("rax"), r("orig_rax"));
        for f in th.frames().unwrap().iter().take(9) { println!("   {:#x} {f} {:?}", f.pc, f.file); }
        println!("frames {:?}", t.elapsed());
    }
    d.detach().unwrap();
    println!("detach {:?}", t.elapsed());
}
