//! Every Rust block of the documents compiles and runs to its end.
//!
//! A block stands alone, as readers see it: one without a `main` is the body of one. `"./NAME"` in it is the fixture
//! of that name: the block runs in a directory that has it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).unwrap();
    let mut documents: Vec<_> = docs.map(|entry| entry.unwrap().path()).collect();
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.push(Path::new(ROOT).join("README.md"));
    documents
}

/// The Rust blocks of a document.
fn blocks(text: &str) -> Vec<&str> {
    let fenced = text.split("\n```rust\n").skip(1);
    fenced.map(|rest| rest.split("\n```\n").next().unwrap()).collect()
}

fn whole(block: &str) -> String {
    if block.contains("fn main(") {
        return block.to_owned();
    }
    format!("fn main() -> libdebug::Result<()> {{\n{block}\nOk(())\n}}\n")
}

/// The crate as programs link it, built if it is not.
fn library() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "libdebug", "--lib", "--message-format", "json"]);
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).unwrap();
    let library = messages.split('"').find(|word| word.ends_with("/liblibdebug.rlib"));
    PathBuf::from(library.unwrap())
}

fn compile(source: &Path, library: &Path) -> PathBuf {
    let program = source.with_extension("");
    let dependencies = format!("dependency={}", library.with_file_name("deps").display());
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "-D", "warnings", "-L", &dependencies]);
    rustc.arg("--extern").arg(format!("libdebug={}", library.display()));
    let output = rustc.arg("-o").arg(&program).arg(source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// A directory with the fixtures that `block` names.
fn directory(block: &str, name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    for named in block.split("\"./").skip(1) {
        let fixture = named.split('"').next().unwrap();
        let _ = std::os::unix::fs::symlink(common::program(fixture), directory.join(fixture));
    }
    directory
}

#[test]
fn rust_blocks_compile_and_run() {
    let library = library();
    let mut found = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for block in blocks(&text) {
            found += 1;
            let directory = directory(block, &format!("block-{found}"));
            let source = directory.join("block.rs");
            fs::write(&source, whole(block)).unwrap();
            let mut program = Command::new(compile(&source, &library));
            program.current_dir(&directory);
            let output = common::within("a block", move || program.output().unwrap());
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}:\n{block}\n{complaint}", document.display());
            assert!(!output.stdout.is_empty(), "{}:\n{block}\nsays nothing", document.display());
        }
    }
    assert!(found >= 2, "the README and the guide have one each");
}
