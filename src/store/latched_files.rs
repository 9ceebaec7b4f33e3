//! Files whose first failed change is the last one acknowledged.
//!
//! Owns the words of a failure, operation and file, and the rule that any failed change latches
//! [`FirstError`]. It may not retry or repair. A file that is not there is no failure, and neither is a
//! failed read: whoever reads decides.

use std::io;

use super::files::{File, Files, SharedFiles};
use super::first_error::FirstError;
use super::space::Space;

/// Files that latch.
pub struct LatchedFiles {
    files: SharedFiles,
    failure: FirstError,
}

impl LatchedFiles {
    /// Latches what fails on `files` in `failure`.
    pub fn new(files: SharedFiles, failure: FirstError) -> Self {
        Self { files, failure }
    }

    fn open_as(&self, name: &str, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(LatchedFile {
            file,
            name: name.to_owned(),
            failure: self.failure.clone(),
        })
    }
}

/// Not the disk's: a name that is not there, and a directory that is not ours.
const IS_NO_FAILURE: [io::ErrorKind; 2] =
    [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied];

/// Latches what a change came to, in words.
fn latched<T>(
    failure: &FirstError,
    what: &str,
    name: &str,
    result: io::Result<T>,
) -> io::Result<T> {
    result.map_err(|error| {
        let named = named(what, name, &error);
        if !IS_NO_FAILURE.contains(&error.kind()) {
            failure.set(&named.to_string());
        }
        named
    })
}

/// The same kind of error, with operation and file.
fn named(what: &str, name: &str, error: &io::Error) -> io::Error {
    let name = if name.is_empty() {
        "the data directory"
    } else {
        name
    };
    io::Error::new(error.kind(), format!("{what} {name}: {error}"))
}

impl Files for LatchedFiles {
    fn create_dir(&self, name: &str) -> io::Result<()> {
        latched(&self.failure, "create", name, self.files.create_dir(name))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        let created = latched(&self.failure, "create", name, self.files.create(name))?;
        Ok(self.open_as(name, created))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        let opened = self
            .files
            .open(name)
            .map_err(|error| named("open", name, &error))?;
        Ok(self.open_as(name, opened))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        latched(&self.failure, "rename", from, self.files.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        latched(&self.failure, "remove", name, self.files.remove(name))
    }

    fn sync_dir(&self, name: &str) -> io::Result<()> {
        latched(
            &self.failure,
            "sync the directory",
            name,
            self.files.sync_dir(name),
        )
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.files
            .list(name)
            .map_err(|error| named("list", name, &error))
    }

    fn space(&self) -> io::Result<Space> {
        self.files.space()
    }
}

struct LatchedFile {
    file: Box<dyn File>,
    name: String,
    failure: FirstError,
}

impl File for LatchedFile {
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(offset, buf);
        read.map_err(|error| named("read", &self.name, &error))
    }

    fn write_at(&mut self, offset: u64, buf: &[u8]) -> io::Result<()> {
        let written = self.file.write_at(offset, buf);
        latched(&self.failure, "write", &self.name, written)
    }

    fn len(&self) -> io::Result<u64> {
        let len = self.file.len();
        len.map_err(|error| named("stat", &self.name, &error))
    }

    fn sync(&mut self) -> io::Result<()> {
        // A sync that failed once tells nothing the second time: the kernel has dropped the pages.
        if self.failure.get().is_some() {
            return Err(self.failure.as_io_error());
        }
        let synced = self.file.sync();
        latched(&self.failure, "fdatasync", &self.name, synced)
    }

    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        let allocated = self.file.allocate(bytes);
        latched(&self.failure, "allocate", &self.name, allocated)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::mem_files::MemFiles;
    use super::*;

    fn latched_disk() -> (MemFiles, LatchedFiles, FirstError) {
        let (disk, failure) = (MemFiles::new(), FirstError::default());
        let files = LatchedFiles::new(Arc::new(disk.clone()), failure.clone());
        (disk, files, failure)
    }

    #[test]
    fn a_failed_sync_is_named_latched_and_never_tried_again() {
        let (disk, files, failure) = latched_disk();
        let mut file = files.create("a").unwrap();
        file.write_at(0, b"x").unwrap();
        disk.fail_from(disk.steps());
        let text = file.sync().unwrap_err().to_string();
        assert!(text.starts_with("fdatasync a: "), "{text}");
        assert_eq!(failure.get().as_deref(), Some(text.as_str()));
        // The disk is well again: were the sync tried, it would succeed and acknowledge what is lost.
        disk.fail_from(u64::MAX);
        assert!(file.sync().is_err());
    }

    #[test]
    fn every_change_that_fails_latches() {
        type Change = fn(&LatchedFiles, &mut dyn File) -> io::Result<()>;
        let changes: [(&str, Change); 6] = [
            ("create_dir", |files, _| files.create_dir("d")),
            ("create", |files, _| files.create("b").map(drop)),
            ("rename", |files, _| files.rename("a", "b")),
            ("remove", |files, _| files.remove("a")),
            ("sync_dir", |files, _| files.sync_dir("")),
            ("write", |_, file| file.write_at(0, b"x")),
        ];
        for (what, change) in changes {
            let (disk, files, failure) = latched_disk();
            let mut file = files.create("a").unwrap();
            disk.fail_from(disk.steps());
            assert!(change(&files, file.as_mut()).is_err(), "{what}");
            assert!(failure.get().is_some(), "{what} does not latch");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_no_failure() {
        let (_, files, failure) = latched_disk();
        assert!(files.open("a").is_err() && files.remove("a").is_err());
        assert_eq!(failure.get(), None);
    }
}
