//! One phase of a bench: a schedule carried by connections.
//!
//! Owns the pacer, the end of a phase and the line of progress each second. A phase ends by itself:
//! when everything is answered, or a fixed wait after the last request was due.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Target;
use super::connection::{Feed, serve};
use super::document::Requests;
use super::schedule::Schedule;
use super::tally::Tally;

/// How often the pacer looks for what is due: the least a timer of tokio can do.
const PACE: Duration = Duration::from_millis(1);

/// How long answers are waited for after the last request was due, or after the last answer when all
/// were due at once.
const GRACE: Duration = Duration::from_secs(5);

/// How long requests that are all due at once may take, even if answers keep coming.
const AT_ONCE_WAIT: Duration = Duration::from_secs(120);

/// What came out of a phase.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Counts and latencies.
    pub(super) tally: Tally,
    /// Requests that were due and never sent.
    pub(super) unsent: u64,
    /// From the start to the last answer, or to giving up.
    pub(super) elapsed: Duration,
}

/// Sends `requests` by `schedule` and waits for the answers. `name` stands in the lines of progress.
pub(super) async fn run(
    name: &str,
    target: &Target,
    requests: Requests,
    schedule: Schedule,
) -> Outcome {
    let started = Instant::now();
    let feed = Rc::new(Feed {
        requests,
        schedule,
        started,
        succeeded_at: Cell::new(started),
        due: Cell::new(0),
        next: Cell::new(0),
        work: Notify::new(),
        tally: RefCell::new(Tally::new()),
    });
    let connections = LocalSet::new();
    for number in 0..target.connections {
        let server = Rc::from(target.servers[number % target.servers.len()].as_str());
        connections.spawn_local(serve(Rc::clone(&feed), server, target.pipelining));
    }
    // Dropping the set at the end of this function closes every connection.
    connections.run_until(pace(name, &feed)).await;
    let elapsed = feed.started.elapsed();
    let tally = feed.tally.borrow().clone();
    Outcome {
        unsent: schedule.count() - tally.sent,
        tally,
        elapsed,
    }
}

/// Makes requests due at their time, until all are answered or the wait is over.
async fn pace(name: &str, feed: &Feed) {
    let count = feed.schedule.count();
    let last_due = feed.schedule.intended(count);
    let mut progress = Progress::new(name);
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let elapsed = feed.started.elapsed();
        let due = feed.schedule.due(elapsed);
        for _ in feed.due.replace(due)..due {
            feed.work.notify_one();
        }
        progress.print_each_second(elapsed, feed);
        let ended = progress.ended(elapsed, feed);
        let give_up = match last_due {
            Duration::ZERO => (progress.last_end + GRACE).min(AT_ONCE_WAIT),
            _ => last_due + GRACE,
        };
        if ended == count || elapsed > give_up {
            return;
        }
    }
}

/// What was seen and printed last.
struct Progress<'a> {
    name: &'a str,
    second: u64,
    succeeded: u64,
    ended: u64,
    last_end: Duration,
}

impl<'a> Progress<'a> {
    fn new(name: &'a str) -> Self {
        Self {
            name,
            second: 0,
            succeeded: 0,
            ended: 0,
            last_end: Duration::ZERO,
        }
    }

    /// How many requests have ended, well or not.
    fn ended(&mut self, elapsed: Duration, feed: &Feed) -> u64 {
        let tally = feed.tally.borrow();
        let ended = tally.succeeded + tally.failed();
        if ended > self.ended {
            self.ended = ended;
            self.last_end = elapsed;
        }
        ended
    }

    fn print_each_second(&mut self, elapsed: Duration, feed: &Feed) {
        if elapsed.as_secs() <= self.second {
            return;
        }
        let tally = feed.tally.borrow();
        eprintln!(
            "{} {:>3} s  {:>7} answered  p99 {:.1} ms  backlog {}  errors {}",
            self.name,
            elapsed.as_secs(),
            tally.succeeded - self.succeeded,
            tally.latency_ms(0.99),
            feed.due.get() - feed.next.get(),
            tally.failed(),
        );
        self.second = elapsed.as_secs();
        self.succeeded = tally.succeeded;
    }
}
