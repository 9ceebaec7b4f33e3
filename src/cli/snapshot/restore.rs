//! `snapshot restore`: a new cluster from a backup.
//!
//! Owns what is printed of it. It may not touch a running node: the directory is locked.

use super::super::args::RestoreArguments;
use super::super::output;
use super::{offline_error, open};
use crate::raft::succession::{self, FreshIds, RestoreOrder};
use crate::server::exit::ExitReason;
use crate::server::random_id;

/// Restores a backup into an empty directory.
pub(super) fn run(arguments: &RestoreArguments) -> Result<(), ExitReason> {
    let backup = open(&arguments.file)?;
    let was = backup.cluster();
    let order = RestoreOrder {
        data_dir: arguments.data_dir.clone(),
        name: arguments.name.clone(),
        peer_addr: arguments.peer_addr.to_string(),
        http_addr: arguments.http_addr.to_string(),
    };
    let ids = FreshIds {
        cluster: random_id(),
        incarnation: random_id(),
    };
    let founded = succession::restore(backup, &order, ids)
        .map_err(|error| offline_error("the backup was not restored", &error))?;
    let was = was.map_or_else(
        || "an unknown cluster".to_owned(),
        |id| format!("{id:032x}"),
    );
    output::print(&format!(
        "restored {} instances of {was} as cluster {:032x}\n\
         {} is its one voter, at index {}; cursors of the old cluster are answered 410\n\
         start it, then grow it with eureka-raft members add\n",
        founded.instances, founded.cluster, founded.name, founded.index,
    ))
}
