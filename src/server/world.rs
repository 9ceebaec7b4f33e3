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
use crate::store::space::SpaceLimits;
use crate::store::{DirFiles, DiskHealth, LatchedFiles, OpenError, SledLog};

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
    /// What is known of the disk under both.
    pub disk: DiskHealth,
    /// The engine under the log.
    pub open_log: OpenLog,
    /// 128 bits that nobody else has; called at most twice in a data directory's life.
    pub fresh_id: fn() -> u128,
}

impl World {
    /// The operating system's clock and sockets, and the data directory `root`, created if absent and
    /// locked. On a full volume ballast is given up before anything else is written. Blocks.
    ///
    /// # Errors
    /// [`OpenError`] if the directory cannot be created or is in use.
    pub fn real(root: &Path, limits: &SpaceLimits) -> Result<Self, OpenError> {
        let plain: SharedFiles = Arc::new(DirFiles::open(root)?);
        // Not latched: no room for ballast is no failure.
        let disk = DiskHealth::open(Arc::clone(&plain), limits)?;
        let files: SharedFiles = Arc::new(LatchedFiles::new(plain, disk.failure.clone()));
        let (log_files, log_root) = (Arc::clone(&files), root.to_owned());
        let log_disk = disk.clone();
        let open_log: OpenLog = Arc::new(move |identity| {
            let log = SledLog::open_on(&log_root, &log_files, identity, log_disk.clone())?;
            Ok(Arc::new(log) as Arc<dyn LogStorage>)
        });
        Ok(Self {
            clock: Arc::new(SystemClock::new()),
            network: Arc::new(TcpNetwork),
            files,
            disk,
            open_log,
            fresh_id: random_id,
        })
    }
}

/// 128 random bits. From the operating system: it names a directory or a cluster and decides nothing else.
pub fn random_id() -> u128 {
    rand::random()
}
