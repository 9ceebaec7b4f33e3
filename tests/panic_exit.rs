//! A panic anywhere ends the process with exit 70 and a line that says where.

use std::process::Command;

use eureka_raft::server::telemetry;

/// Set in the child that panics.
const CHILD: &str = "EUREKA_RAFT_TEST_PANICS";

#[test]
fn a_panic_in_a_task_ends_the_process_with_70() {
    if std::env::var_os(CHILD).is_some() {
        panic_in_a_task();
        return;
    }
    let program = std::env::current_exe().expect("a test has a path");
    let output = Command::new(program)
        .args([
            "--exact",
            "a_panic_in_a_task_ends_the_process_with_70",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .output()
        .expect("the test binary runs");
    assert_eq!(output.status.code(), Some(70));
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().last().unwrap_or_default();
    let beginning = "eureka-raft: panicked: \"apply lost\\nits way\" at tests/panic_exit.rs:";
    assert!(line.starts_with(beginning), "{text}");
}

/// Without the hook tokio keeps the panic in the task's handle, and the process goes on.
fn panic_in_a_task() {
    telemetry::install_panic_hook();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("a runtime");
    let task = runtime.spawn(async { panic!("apply lost\nits way") });
    drop(runtime.block_on(task));
}
