//! The `eureka-raft` binary.
//!
//! Owns the global allocator and nothing else: the command line is `cli`'s.

/// A registry is many small allocations of many sizes: mimalloc holds them in less memory than the
/// system's allocator and returns what is freed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let code = eureka_raft::cli::run(std::env::args_os());
    std::process::ExitCode::from(code.number())
}
