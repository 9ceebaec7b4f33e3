//! Room kept back in files that can be given up.
//!
//! Owns the pieces in `ballast/`. It may not decide when. In pieces, so that what is given back is
//! given back a little at a time, and so that some inodes are kept back too.

use std::io;

use super::super::files::SharedFiles;

/// The directory below the data directory.
pub const BALLAST_DIR: &str = "ballast";
/// How many files the ballast is made of.
pub const BALLAST_PIECES: u64 = 8;

/// The pieces of one data directory.
pub(super) struct Ballast {
    files: SharedFiles,
    piece_bytes: u64,
    /// Which pieces are there and whole.
    held: [bool; BALLAST_PIECES as usize],
}

impl Ballast {
    /// Looks which pieces of `total_bytes` are there; one of another size, left by another
    /// configuration or cut short by a crash, is removed.
    pub(super) fn open(files: SharedFiles, total_bytes: u64) -> io::Result<Self> {
        let mut ballast = Self {
            files,
            piece_bytes: total_bytes / BALLAST_PIECES,
            held: [false; BALLAST_PIECES as usize],
        };
        let names = match ballast.files.list(BALLAST_DIR) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ballast),
            other => other?,
        };
        for name in names {
            let path = format!("{BALLAST_DIR}/{name}");
            let bytes = ballast.files.open(&path)?.len()?;
            let place = name
                .parse::<usize>()
                .ok()
                .filter(|place| *place < ballast.held.len());
            match place {
                Some(place) if bytes == ballast.piece_bytes && bytes > 0 => {
                    ballast.held[place] = true
                }
                _ => ballast.files.remove(&path)?,
            }
        }
        Ok(ballast)
    }

    /// Bytes of the pieces that are there.
    pub(super) fn held_bytes(&self) -> u64 {
        let held = self.held.iter().filter(|held| **held).count();
        held as u64 * self.piece_bytes
    }

    /// Bytes of the pieces that are not there.
    pub(super) fn missing_bytes(&self) -> u64 {
        self.missing() * self.piece_bytes
    }

    /// How many pieces are not there, and should be.
    pub(super) fn missing(&self) -> u64 {
        match self.piece_bytes {
            0 => 0,
            _ => self.held.iter().map(|held| u64::from(!held)).sum(),
        }
    }

    /// Gives one piece back; answers whether there was one.
    pub(super) fn release_one(&mut self) -> io::Result<bool> {
        let Some(place) = self.held.iter().position(|held| *held) else {
            return Ok(false);
        };
        // Gone for us whatever becomes of the removal: it is not tried again.
        self.held[place] = false;
        self.files.remove(&path_of(place))?;
        Ok(true)
    }

    /// What is needed to make the next missing piece; `None` if none is missing.
    pub(super) fn next_piece(&self) -> Option<Piece> {
        let place = self.held.iter().position(|held| !held)?;
        (self.piece_bytes > 0).then(|| Piece {
            files: self.files.clone(),
            place,
            bytes: self.piece_bytes,
        })
    }

    /// Counts a piece in that was made.
    pub(super) fn adopt(&mut self, piece: &Piece) {
        self.held[piece.place] = true;
    }
}

/// A piece to be made, away from any lock: it takes the disk's time.
pub(super) struct Piece {
    files: SharedFiles,
    place: usize,
    bytes: u64,
}

impl Piece {
    /// Makes it, blocks and name durable; on an error nothing of it stays.
    pub(super) fn make(&self) -> io::Result<()> {
        self.files.create_dir(BALLAST_DIR)?;
        let path = path_of(self.place);
        let mut file = self.files.create(&path)?;
        let made = file
            .allocate(self.bytes)
            .and_then(|()| file.sync())
            .and_then(|()| self.files.sync_dir(BALLAST_DIR));
        if made.is_err() {
            // A piece that cannot be removed either is found and removed at the next start.
            drop(self.files.remove(&path));
        }
        made
    }
}

fn path_of(place: usize) -> String {
    format!("{BALLAST_DIR}/{place}")
}
