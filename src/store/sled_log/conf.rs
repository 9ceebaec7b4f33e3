//! sled's settings file.
//!
//! Owns `log/conf`: what it must hold, and that it is durable before anything depends on it. It may not
//! change one that is there. sled writes the file without a sync, so that a power cut in the first seconds
//! of a log left it empty; and it checks its checksum, then goes on whatever the settings are: with
//! another segment size it would take the whole log for garbage, and overwrite it.

use std::io::ErrorKind;
use std::path::Path;

use super::super::error::OpenError;
use super::super::files::Files;
use super::open::LOG_DIR;

const CONF_FILE: &str = "log/conf";
const CONF_TEMP: &str = "log/conf.new";
/// The settings of this release, which are the only ones there ever were.
const CONF: &[u8] = b"segment_size: 524288\nuse_compression: false\nversion: 0.34\n";

/// Makes the settings durable if there are none.
pub(super) fn settle(files: &dyn Files) -> Result<(), OpenError> {
    let made = match files.open(CONF_FILE) {
        Ok(_there) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => files
            .create(CONF_TEMP)
            .and_then(|mut file| file.write_at(0, &whole()).and_then(|()| file.sync()))
            .and_then(|()| files.rename(CONF_TEMP, CONF_FILE))
            .and_then(|()| files.sync_dir(LOG_DIR)),
        Err(error) => Err(error),
    };
    made.map_err(OpenError::io(format!("create {CONF_FILE}")))
}

/// Refuses other settings below `path`, sled's directory.
pub(super) fn check(path: &Path) -> Result<(), OpenError> {
    let found = match std::fs::read(path.join("conf")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        read => read.map_err(OpenError::io(format!("read {CONF_FILE}")))?,
    };
    let whole = whole();
    if found == whole {
        return Ok(());
    }
    let same = whole.iter().zip(&found).take_while(|(a, b)| a == b).count();
    Err(OpenError::corrupt(
        CONF_FILE,
        format!("byte {same}"),
        "these are not the settings the log was made with",
    ))
}

/// The settings and their checksum, as sled writes them.
fn whole() -> Vec<u8> {
    let mut bytes = CONF.to_vec();
    bytes.extend_from_slice(&crc32fast::hash(CONF).to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::super::mem_files::MemFiles;
    use super::*;

    #[test]
    fn our_settings_are_those_that_sled_writes() {
        let dir = tempfile::tempdir().unwrap();
        drop(sled::open(dir.path()).unwrap());
        assert_eq!(std::fs::read(dir.path().join("conf")).unwrap(), whole());
    }

    #[test]
    fn settings_once_settled_outlive_a_power_cut() {
        for seed in 0..50 {
            let disk = MemFiles::new();
            disk.create_dir(LOG_DIR).unwrap();
            disk.sync_dir("").unwrap();
            settle(&disk).unwrap();
            let after = disk.crash(seed);
            let mut found = vec![0; whole().len()];
            after
                .open(CONF_FILE)
                .unwrap()
                .read_at(0, &mut found)
                .unwrap();
            assert_eq!(found, whole(), "seed {seed}");
        }
    }
}
