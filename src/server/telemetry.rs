//! What the process writes to standard error.
//!
//! Owns the format and level of log lines, and what a panic does: one line, then exit 70. It may not
//! decide what is worth a line. Standard output is for answers, never for logs.

use std::fmt;
use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::config::{Log, LogFormat, LogLevel};
use super::exit::ExitCode;
use crate::clock::{Clock, SystemClock};
use crate::store::{PanicSource, panic_source};

/// Starts writing log lines to standard error, for the rest of the process. A second call changes
/// nothing: the first subscriber of a process stays.
pub fn init(log: &Log) {
    let colors = io::stderr().is_terminal();
    let subscriber = subscriber(log, io::stderr, colors.into());
    // Refused only when a subscriber is there already, which then also gets these lines.
    drop(tracing::subscriber::set_global_default(subscriber));
}

/// Whether lines carry terminal colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colors {
    On,
    Off,
}

impl From<bool> for Colors {
    fn from(terminal: bool) -> Self {
        if terminal { Self::On } else { Self::Off }
    }
}

fn subscriber<W>(log: &Log, writer: W, colors: Colors) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives(log.level)))
        .with_timer(UtcMillis::default())
        .with_writer(writer);
    match log.format {
        LogFormat::Text => Box::new(lines.with_ansi(colors == Colors::On).finish()),
        LogFormat::Json => Box::new(lines.with_ansi(false).json().flatten_event(true).finish()),
    }
}

/// Our own lines at `level`, those of chatty libraries one step quieter. openraft warns of things that
/// are part of every election: below `debug` only its errors are an operator's business.
fn directives(level: LogLevel) -> String {
    let quieter = match level {
        LogLevel::Error => LogLevel::Error,
        LogLevel::Warn | LogLevel::Info => LogLevel::Warn,
        LogLevel::Debug => LogLevel::Info,
        LogLevel::Trace => LogLevel::Debug,
    };
    let raft = match level {
        LogLevel::Debug | LogLevel::Trace => quieter,
        _ => LogLevel::Error,
    };
    // It calls its own stop an error.
    format!(
        "{level},openraft={raft},openraft::raft::stream_append=off,sled={quieter},hyper={quieter}"
    )
}

/// RFC 3339 in UTC with milliseconds.
#[derive(Debug, Default)]
struct UtcMillis {
    clock: SystemClock,
}

impl FormatTime for UtcMillis {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let wall_ms = i64::try_from(self.clock.wall_ms()).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(wall_ms) {
            Ok(timestamp) => write!(w, "{timestamp:.3}"),
            // Beyond the year 9999: the number alone is still an order of events.
            Err(_) => write!(w, "{wall_ms}"),
        }
    }
}

/// Makes a panic on any thread or task end the process with exit 70: a state machine that broke an
/// invariant must not go on in the other tasks. The panic is logged as one line first.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let line = panic_line(info);
        match panic_source() {
            // Caught by the log, which reports it as what it is: damaged data.
            PanicSource::LogCall => return tracing::error!(panic = %line, "the log is damaged"),
            PanicSource::SledThread => {
                tracing::error!(panic = %line, "the log is damaged: the process ends");
                std::process::exit(i32::from(ExitCode::Storage.number()));
            }
            PanicSource::Other => {}
        }
        tracing::error!(panic = %line, "a bug: the process ends");
        // Standard error is not buffered: the line is out.
        eprintln!(
            "eureka-raft: panicked: {line}; start it again, the log is whole, and report this line"
        );
        std::process::exit(i32::from(ExitCode::Internal.number()));
    }));
}

fn panic_line(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    let place = info
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    format!("{message:?} at {place} on thread {thread}")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written when a leader is logged at info and a request at debug.
    fn lines(level: LogLevel, format: LogFormat) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let log = Log { level, format };
        let subscriber = subscriber(&log, move || writer.clone(), Colors::Off);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(term = 3, "became leader");
            tracing::debug!("a request");
            tracing::info!(target: "openraft::core", "chatter");
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_text_line_has_utc_milliseconds_the_message_and_its_fields() {
        let written = lines(LogLevel::Info, LogFormat::Text);
        let (time, rest) = written.split_once(' ').unwrap();
        assert_eq!(time.len(), "2026-01-01T00:00:00.000Z".len(), "{time}");
        assert!(time.ends_with('Z'), "{time}");
        assert!(rest.contains("became leader term=3"), "{rest}");
        assert_eq!(written.lines().count(), 1, "{written}");
    }

    #[test]
    fn a_json_line_is_one_object_with_the_fields_at_the_top() {
        let written = lines(LogLevel::Info, LogFormat::Json);
        let line: serde_json::Value = serde_json::from_str(written.trim()).unwrap();
        assert_eq!(line["message"], "became leader");
        assert_eq!(line["term"], 3);
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn the_level_decides_which_lines_are_written() {
        let table = [
            (LogLevel::Error, 0),
            (LogLevel::Info, 1),
            (LogLevel::Debug, 3),
        ];
        for (level, count) in table {
            let written = lines(level, LogFormat::Text);
            assert_eq!(written.lines().count(), count, "{level}: {written}");
        }
    }
}
