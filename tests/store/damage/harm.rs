//! What can happen to the files of a stopped node.
//!
//! Owns the damages and their names. It may not judge what comes of them.

use std::fs;
use std::path::{Path, PathBuf};

/// One damage to one file, or a mixture of moments.
#[derive(Debug, Clone)]
pub(super) enum Harm {
    /// One bit of the file flips.
    Flip(String, usize),
    /// The file ends early.
    Truncate(String, u64),
    /// Zeros are behind its end.
    Grow(String, u64),
    /// A page of it reads as zeros.
    ZeroPage(String, u64),
    /// The file, or the directory, is gone.
    Remove(String),
    /// These are as they are in another directory: an older one, or another node's.
    Replace(Vec<String>, PathBuf),
    /// A file that belongs nowhere.
    Stray(String, Vec<u8>),
}

/// The bytes of one page.
pub(super) const PAGE: u64 = 4_096;

impl Harm {
    /// Does it to the files below `dir`.
    pub(super) fn apply(&self, dir: &Path) {
        match self {
            Self::Flip(file, bit) => {
                let path = dir.join(file);
                let mut bytes = fs::read(&path).unwrap();
                bytes[bit / 8] ^= 1 << (bit % 8);
                fs::write(path, bytes).unwrap();
            }
            Self::Truncate(file, len) | Self::Grow(file, len) => {
                let file = fs::File::options().write(true).open(dir.join(file));
                file.unwrap().set_len(*len).unwrap();
            }
            Self::ZeroPage(file, page) => {
                let path = dir.join(file);
                let mut bytes = fs::read(&path).unwrap();
                let start = (page * PAGE) as usize;
                let end = bytes.len().min(start + PAGE as usize);
                bytes[start..end].fill(0);
                fs::write(path, bytes).unwrap();
            }
            Self::Remove(name) => remove(&dir.join(name)),
            Self::Replace(names, from) => {
                for name in names {
                    remove(&dir.join(name));
                    copy(&from.join(name), &dir.join(name));
                }
            }
            Self::Stray(name, bytes) => fs::write(dir.join(name), bytes).unwrap(),
        }
    }
}

fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else if path.exists() {
        fs::remove_file(path).unwrap();
    }
}

/// Copies a file or a directory; what is not there is not copied.
pub(super) fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        crate::log_refuses_what_is_doubtful::copy_dir(from, to);
    } else if from.exists() {
        fs::copy(from, to).unwrap();
    }
}

/// Every file below `dir`, by its path from there; empty ones are not worth a damage.
pub(super) fn files(dir: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    list(dir, "", &mut found);
    found.sort();
    found
}

fn list(dir: &Path, prefix: &str, found: &mut Vec<(String, u64)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push((name, entry.metadata().unwrap().len()));
        }
    }
}
