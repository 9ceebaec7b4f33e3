//! Commands of the product that are not nodes.
//!
//! Owns running one to its end and showing what it said.

use std::path::Path;
use std::process::{Command, Output};

/// What a command said and how it ended.
#[derive(Debug, Clone)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Its standard output, if it ended with 0.
    pub fn fine(&self) -> &str {
        assert_eq!(self.code, 0, "{self:#?}");
        &self.out
    }

    /// Its last line on standard error, if it ended with `code`.
    pub fn refused(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "{self:#?}");
        self.err.lines().last().unwrap_or_default()
    }
}

/// Runs `eureka-raft` with `arguments` to its end.
pub fn run(arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_eureka-raft"))
        .args(arguments)
        .output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.expect("the binary starts");
    Said {
        code: status.code().expect("it was not killed"),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}
