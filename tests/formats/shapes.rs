//! The shape of a format: its bytes for the simplest values there are.
//!
//! Owns making samples of any type and comparing them with a golden file. A sample is the shortest payload
//! of nothing but zeros, or ones, that is a value: every number, length and variant of it is 0, or 1. So a
//! field that is added, removed, moved or of another kind shows, and nobody has to write samples by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// Bytes that a sample may have: the longest is some hundred.
const PAYLOAD_TRIED_MAX: usize = 800;
/// Variants that are looked for behind the last one found.
const VARIANTS_TRIED: u8 = 3;

/// Samples by name, as they stand in a golden file.
#[derive(Default)]
pub struct Shapes(String);

/// What a type can be read from and written to.
pub struct Coder<T> {
    /// Kind and version.
    pub format: (u8, u8),
    pub encode: fn(&T) -> Vec<u8>,
    pub decode: fn(&[u8]) -> Option<T>,
}

impl Shapes {
    /// A type that is no enum.
    pub fn one<T>(&mut self, name: &str, coder: &Coder<T>) {
        let mut found = false;
        for fill in [0, 1] {
            if let Some(bytes) = coder.shortest(&[], fill) {
                self.line(&format!("{name} of {fill}"), &bytes);
                found = true;
            }
        }
        assert!(found, "no sample of {name}");
    }

    /// Every variant of an enum whose number stands behind `before`.
    pub fn variants<T>(&mut self, name: &str, before: &[u8], coder: &Coder<T>) {
        let (mut variant, mut end, mut found) = (0, VARIANTS_TRIED, false);
        while variant < end {
            let start = [before, &[variant]].concat();
            for fill in [0, 1] {
                if let Some(bytes) = coder.shortest(&start, fill) {
                    self.line(&format!("{name} {variant} of {fill}"), &bytes);
                    (end, found) = (variant + 1 + VARIANTS_TRIED, true);
                }
            }
            variant += 1;
        }
        assert!(found, "no sample of {name}");
    }

    fn line(&mut self, name: &str, bytes: &[u8]) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(self.0, "{name}: {hex}").expect("a string takes everything");
    }

    /// Compares with the golden file `name`, or writes it when `EUREKA_RAFT_FREEZE` is set.
    pub fn check(self, name: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/formats/golden")
            .join(name);
        if std::env::var_os("EUREKA_RAFT_FREEZE").is_some() {
            fs::write(&path, &self.0).expect("the golden file can be written");
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        let differs = golden.lines().zip(self.0.lines()).find(|(a, b)| a != b);
        assert!(
            golden == self.0,
            "{name} is not as it was frozen: {differs:?}. What is on a disk, or spoken by a released peer, \
             is never changed: append a version to codec::FORMATS. See tests/formats/README.md"
        );
    }
}

impl<T> Coder<T> {
    /// The shortest whole envelope whose payload is `start` and then nothing but `fill`.
    fn shortest(&self, start: &[u8], fill: u8) -> Option<Vec<u8>> {
        (start.len()..PAYLOAD_TRIED_MAX).find_map(|len| {
            let mut payload = start.to_vec();
            payload.resize(len, fill);
            let bytes = self.envelope(&payload);
            let value = (self.decode)(&bytes)?;
            assert_eq!((self.encode)(&value), bytes, "read and written are one");
            Some(bytes)
        })
    }

    fn envelope(&self, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(payload.len()).expect("a sample is short");
        let mut bytes = vec![0xE5, 1, self.format.0, self.format.1, 1, 0];
        bytes.extend_from_slice(&len.to_le_bytes());
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes);
        hasher.update(payload);
        bytes.extend_from_slice(&hasher.finalize().to_le_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }
}
