//! Names the targets whose C library is stood in for: `cfg(interposed)`.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(interposed)");
    let of_target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let libc = matches!(
        (of_target("OS").as_str(), of_target("ENV").as_str()),
        ("linux", "gnu") | ("macos", _)
    );
    // `syscall` and `open` are variadic; on these two, arguments travel as those of any other function do.
    let processor = matches!(of_target("ARCH").as_str(), "x86_64" | "aarch64");
    if libc && processor {
        println!("cargo::rustc-cfg=interposed");
    }
}
