//! Owns what the crate logs: one line each, its level in front, on standard output.

use log::{Level, LevelFilter, Log, Metadata, Record};

struct Console;

impl Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            println!("{} {} {}", record.level(), record.target(), record.args());
        }
    }

    fn flush(&self) {}
}

/// Once, before anything logs.
pub(crate) fn install() {
    log::set_logger(&Console).expect("there is no other logger");
    log::set_max_level(LevelFilter::Info);
}
