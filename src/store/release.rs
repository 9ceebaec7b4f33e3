//! Which release has been at a data directory.
//!
//! Owns the file `RELEASE`, one line of text. It may decide nothing: formats do. It is there so that a release
//! that finds bytes it cannot read can say which one can.

use std::io;

use super::files::SharedFiles;

/// The file's name.
pub const RELEASE_FILE: &str = "RELEASE";
/// This release.
const THIS: &str = env!("CARGO_PKG_VERSION");
/// The line before the number.
const PREFIX: &str = "eureka-raft ";
/// More than any number of a release has.
const BYTES_MAX: usize = 64;

/// The release that last opened the directory, if it is newer than this one. What cannot be read says
/// nothing. Blocks on the disk.
pub fn newer(files: &SharedFiles) -> Option<String> {
    let found = read(files)?;
    (number(&found)? > number(THIS)?).then_some(found)
}

/// Notes that this release has opened the directory, unless it is noted or a newer one is. Blocks on the
/// disk.
///
/// # Errors
/// The disk's; nothing depends on the file.
pub fn note(files: &SharedFiles) -> io::Result<()> {
    let noted = read(files).as_deref().and_then(number);
    if noted >= number(THIS) {
        return Ok(());
    }
    let mut file = files.create(RELEASE_FILE)?;
    file.write_at(0, format!("{PREFIX}{THIS}\n").as_bytes())?;
    file.sync()?;
    files.sync_dir("")
}

fn read(files: &SharedFiles) -> Option<String> {
    let mut bytes = [0; BYTES_MAX];
    let read = files.open(RELEASE_FILE).ok()?.read_at(0, &mut bytes).ok()?;
    let text = std::str::from_utf8(&bytes[..read]).ok()?;
    Some(text.strip_prefix(PREFIX)?.trim_end().to_owned())
}

/// `1.2.3` as numbers that compare.
fn number(release: &str) -> Option<[u64; 3]> {
    let mut parts = release.split('.').map(|part| part.parse().ok());
    let number = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(number)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::MemFiles;
    use super::*;

    fn noted(text: &[u8]) -> SharedFiles {
        let files: SharedFiles = Arc::new(MemFiles::new());
        files
            .create(RELEASE_FILE)
            .unwrap()
            .write_at(0, text)
            .unwrap();
        files
    }

    #[test]
    fn only_a_newer_release_is_named_and_it_stays_noted() {
        let files: SharedFiles = Arc::new(MemFiles::new());
        note(&files).unwrap();
        assert_eq!(read(&files).as_deref(), Some(THIS));
        assert_eq!(newer(&files), None);
        let files = noted(b"eureka-raft 99.0.10\n");
        note(&files).unwrap();
        assert_eq!(newer(&files).as_deref(), Some("99.0.10"));
    }

    #[test]
    fn what_cannot_be_read_says_nothing_and_is_written_anew() {
        for rot in [
            &b""[..],
            b"eureka-raft x",
            b"\xff\xff",
            &[b'9'; 200],
            b"eureka-raft 1.2.3.4",
        ] {
            let files = noted(rot);
            assert_eq!(newer(&files), None);
            note(&files).unwrap();
            assert_eq!(read(&files).as_deref(), Some(THIS));
        }
    }
}
