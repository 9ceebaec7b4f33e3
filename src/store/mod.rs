//! What is on disk, and when it is synced.
//!
//! Owns identity, log and snapshots, each in the form in which its failure can be seen, and the
//! first-error rule: after one storage error nothing is acknowledged any more. It may not know what
//! a log entry means or what an instance is.

mod ancestry;
mod blocking;
mod dir_files;
mod disk_health;
mod error;
pub mod files;
mod first_error;
pub mod identity;
mod latched_files;
pub mod log;
mod mem_files;
pub mod peer_memory;
mod rebuild;
pub mod release;
pub mod sled_log;
pub mod snapshot_files;
pub mod space;
mod stopped_dir;
mod sync_file_range;
mod sync_gauge;

pub use ancestry::{ANCESTRY_FILE, Ancestry};
pub use blocking::{blocking, run_blocking_inline};
pub use dir_files::{DirFiles, LOCK_FILE};
pub use disk_health::DiskHealth;
pub use error::OpenError;
pub use first_error::FirstError;
pub use latched_files::LatchedFiles;
pub use mem_files::MemFiles;
pub use peer_memory::MemoryFile;
pub use rebuild::{Interrupted, KEPT_PREFIX, REBUILD_DIR, Rebuild};
pub use sled_log::{PanicSource, SledLog, panic_source};
pub use snapshot_files::SnapshotFiles;
pub use stopped_dir::{StoppedDir, holder};
pub use sync_gauge::{SyncGauge, SyncStep};
