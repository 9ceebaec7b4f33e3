//! Everything a node needs from outside itself.
//!
//! Owns the bundle of seams: clock, disk, network and randomness. A simulation makes its own bundle;
//! the product's is [`World::real`]. It may not decide anything.

use std::path::Path;
use std::sync::Arc;

use crate::clock::{SharedClock, SystemClock};
use crate::net::{SharedNetwork, TcpNetwork};
use crate::store::files::SharedFiles;
use crate::store::identity::IdentityFile;
use crate::store::log::LogStorage;
use crate::store::{DirFiles, OpenError, SledLog};

/// Opens the log that belongs to an identity. Blocks.
pub type OpenLog =
    Arc<dyn Fn(IdentityFile) -> Result<Arc<dyn LogStorage>, OpenError> + Send + Sync>;

/// The world around one node.
pub struct World {
    /// Both clocks.
    pub clock: SharedClock,
    /// Listeners and connections.
    pub network: SharedNetwork,
    /// The files under identity and snapshots.
    pub files: SharedFiles,
    /// The engine under the log.
    pub open_log: OpenLog,
    /// 128 bits that nobody else has; called at most twice in a data directory's life.
    pub fresh_id: fn() -> u128,
}

impl World {
    /// The operating system's clock and sockets, and the data directory `root`, created if absent and
    /// locked. Blocks.
    ///
    /// # Errors
    /// [`OpenError`] if the directory cannot be created or is in use.
    pub fn real(root: &Path) -> Result<Self, OpenError> {
        let files: SharedFiles = Arc::new(DirFiles::open(root)?);
        let (log_files, log_root) = (Arc::clone(&files), root.to_owned());
        let open_log: OpenLog = Arc::new(move |identity| {
            let log = SledLog::open(&log_root, &log_files, identity)?;
            Ok(Arc::new(log) as Arc<dyn LogStorage>)
        });
        Ok(Self {
            clock: Arc::new(SystemClock::new()),
            network: Arc::new(TcpNetwork),
            files,
            open_log,
            fresh_id: random_id,
        })
    }
}

/// 128 random bits. From the operating system: it names a directory or a cluster and decides nothing else.
pub fn random_id() -> u128 {
    rand::random()
}
