//! Many writes of one request.
//!
//! Owns how commands become submissions and fates become answers, and how many commands share entries. It may not judge them: each is admitted as it would be alone. The
//! invariant: an entry follows only once the one before it is applied, so what was asked of one
//! instance happens in the order in which it was asked.

use crate::registry::Command;

use super::Node;
use super::admission::approximate_bytes;
use super::api::{WriteError, Written};
use super::batcher::{Fate, Refused, WriteLimits, WriteQueue};

/// What became of one command.
type Result<T = Written> = std::result::Result<T, WriteError>;

impl Node {
    /// As [`super::Registrar::write_all`].
    pub(super) async fn submit_all(&self, commands: Vec<Command>) -> Vec<Result> {
        let total = commands.len();
        let mut results = Vec::with_capacity(total);
        for unit in units(commands, &self.options.writes) {
            results.extend(self.submit_unit(unit).await);
            let broken = results.iter().find_map(|result| result.err().filter(stops));
            if let Some(error) = broken {
                results.resize(total, Err(error));
                break;
            }
        }
        results
    }

    /// Commits those of `unit` that are admitted, as one entry.
    async fn submit_unit(&self, unit: Vec<Command>) -> Vec<Result> {
        let running = match self.admits_writes() {
            Ok(running) => running,
            Err(error) => return vec![Err(error); unit.len()],
        };
        let admit = |command: &Command| self.disk().admit(&running.raft, command);
        let verdicts: Vec<Result<()>> = unit.iter().map(admit).collect();
        let judged = unit.into_iter().zip(&verdicts);
        let admitted = judged.filter(|(_, verdict)| verdict.is_ok());
        let admitted: Vec<Command> = admitted.map(|(command, _)| command).collect();
        let committed = match admitted.is_empty() {
            true => Ok(Vec::new()),
            false => commit(&running.queue, admitted).await,
        };
        let mut written = committed.map(Vec::into_iter);
        let mut next = |()| match &mut written {
            Ok(written) => Ok(written.next().expect("apply gives one outcome a command")),
            Err(error) => Err(*error),
        };
        verdicts
            .into_iter()
            .map(|verdict| verdict.and_then(&mut next))
            .collect()
    }
}

/// Puts `commands` through the log as one unit, and waits until they are applied here.
pub(super) async fn commit(queue: &WriteQueue, commands: Vec<Command>) -> Result<Vec<Written>> {
    let fate = queue.submit(commands).map_err(|refused| match refused {
        Refused::Overloaded => WriteError::Overloaded,
        Refused::Stopping => WriteError::Stopping,
    })?;
    match fate.await {
        Ok(Fate::Applied {
            index,
            first_seq,
            outcomes,
        }) => {
            let written = |(seq, outcome)| Written {
                index,
                seq,
                outcome,
            };
            Ok((first_seq..).zip(outcomes).map(written).collect())
        }
        Ok(Fate::NotExecuted) => Err(WriteError::NoLeader),
        Ok(Fate::Overloaded) => Err(WriteError::Overloaded),
        Ok(Fate::DiskFull) => Err(WriteError::DiskFull),
        Ok(Fate::Unknown) | Err(_) => Err(WriteError::Unknown),
    }
}

/// Whether what follows must not be proposed any more. A full disk refuses single commands.
fn stops(error: &WriteError) -> bool {
    *error != WriteError::DiskFull
}

/// `commands` in order, cut where an entry is full. One larger than an entry should be goes alone.
fn units(commands: Vec<Command>, limits: &WriteLimits) -> Vec<Vec<Command>> {
    let mut units: Vec<Vec<Command>> = Vec::new();
    let mut bytes = 0;
    for command in commands {
        let more = approximate_bytes(&command);
        match units.last_mut() {
            Some(unit)
                if unit.len() < limits.batch_commands && bytes + more <= limits.batch_bytes =>
            {
                bytes += more;
                unit.push(command);
            }
            _ => {
                bytes = more;
                units.push(vec![command]);
            }
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::node::WaitingLimits;
    use crate::registry::{AppName, InstanceId};

    use super::*;

    fn cancel(id: usize) -> Command {
        Command::Cancel {
            app: AppName::new("APP"),
            id: InstanceId::new(&"i".repeat(id)),
        }
    }

    fn sizes(batch_commands: usize, batch_bytes: usize) -> Vec<usize> {
        let limits = WriteLimits {
            waiting: WaitingLimits {
                commands: 100,
                bytes: 1 << 20,
            },
            leader_wait: Duration::from_secs(3),
            batch_commands,
            batch_bytes,
        };
        let commands: Vec<Command> = (1..=5).map(cancel).collect();
        let units = units(commands.clone(), &limits);
        let sizes = units.iter().map(Vec::len).collect();
        assert_eq!(units.concat(), commands, "in order, none lost");
        sizes
    }

    #[test]
    fn commands_share_an_entry_until_it_is_full() {
        let one = approximate_bytes(&cancel(5));
        assert_eq!(sizes(100, 1 << 20), [5]);
        assert_eq!(sizes(2, 1 << 20), [2, 2, 1]);
        assert_eq!(sizes(100, 2 * one), [2, 2, 1]);
        assert_eq!(sizes(100, 1), [1, 1, 1, 1, 1], "too large for any: alone");
    }
}
