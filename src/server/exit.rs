//! Why the process ends, as a supervisor and a person read it.
//!
//! Owns the exit codes and the shape of the last line before a non-zero exit: what, why, and the
//! next command to try. It may not end the process: `main` does, with what it was handed.

use std::fmt;

/// The exit codes of every command. Supervisors must not restart on 64, 76, 77 and 78.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// 0: done, or stopped as asked.
    Fine,
    /// 1: `status` only: the cluster works and something needs a look.
    Degraded,
    /// 2: `status` only: the cluster has no leader or the server does not answer.
    Down,
    /// 64: the command line is wrong.
    Usage,
    /// 70: a broken invariant or a panic. A restart is safe.
    Internal,
    /// 74: the disk failed or holds what it should not. Restart at most three times in ten minutes.
    Storage,
    /// 75: could not stop or finish in time; trying again may work.
    Unfinished,
    /// 76: removed from the cluster.
    Removed,
    /// 77: the data directory is empty, went back, is another's or is in use twice.
    Identity,
    /// 78: the configuration is wrong.
    Configuration,
}

impl ExitCode {
    /// The number the operating system sees.
    pub fn number(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Degraded => 1,
            Self::Down => 2,
            Self::Usage => 64,
            Self::Internal => 70,
            Self::Storage => 74,
            Self::Unfinished => 75,
            Self::Removed => 76,
            Self::Identity => 77,
            Self::Configuration => 78,
        }
    }
}

/// Why a command ended: its code and, unless it is fine, what happened, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitReason {
    /// The code.
    pub code: ExitCode,
    /// What happened, e.g. `the node did not start`.
    pub what: String,
    /// Why, as far as is known.
    pub why: String,
    /// The next command to try, or what to change.
    pub next: String,
}

impl ExitReason {
    /// Done, or stopped as asked: exit 0 and no last line.
    pub fn fine() -> Self {
        Self::new(ExitCode::Fine, "", "", "")
    }

    /// An end with `code` that says `what`, `why` and what to do `next`.
    pub fn new(
        code: ExitCode,
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            code,
            what: what.into(),
            why: why.into(),
            next: next.into(),
        }
    }

    /// Exit 70: a broken invariant.
    pub fn internal(
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::new(ExitCode::Internal, what, why, next)
    }

    /// Exit 74: the disk failed or holds what it should not.
    pub fn storage(
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::new(ExitCode::Storage, what, why, next)
    }

    /// Exit 75: could not stop or finish in time.
    pub fn unfinished(
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::new(ExitCode::Unfinished, what, why, next)
    }

    /// Exit 77: the data directory is not this node's, or not all of it.
    pub fn identity(
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::new(ExitCode::Identity, what, why, next)
    }

    /// Exit 78: the configuration is wrong.
    pub fn configuration(
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::new(ExitCode::Configuration, what, why, next)
    }
}

impl fmt::Display for ExitReason {
    /// One line: `what: why; next`, without the parts that are empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.why.is_empty() {
            write!(f, ": {}", self.why)?;
        }
        if !self.next.is_empty() {
            write!(f, "; {}", self.next)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_documented_number() {
        let documented = [
            (ExitCode::Fine, 0),
            (ExitCode::Degraded, 1),
            (ExitCode::Down, 2),
            (ExitCode::Usage, 64),
            (ExitCode::Internal, 70),
            (ExitCode::Storage, 74),
            (ExitCode::Unfinished, 75),
            (ExitCode::Removed, 76),
            (ExitCode::Identity, 77),
            (ExitCode::Configuration, 78),
        ];
        for (code, number) in documented {
            assert_eq!(code.number(), number, "{code:?}");
        }
    }

    #[test]
    fn the_last_line_says_what_why_and_what_next() {
        let reason = ExitReason::storage("the log is damaged", "bad CRC", "see the log");
        assert_eq!(
            reason.to_string(),
            "the log is damaged: bad CRC; see the log"
        );
    }
}
