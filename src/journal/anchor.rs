//! Anchors (锚点): heads of the journal, signed with Ed25519, in a file that can lie outside of the data folder. Whoever
//! rewrites the journal cannot rewrite what was anchored elsewhere.
//!
//! A line is `SEQUENCE:HASH INSTANT SIGNATURE`; the signature, hexadecimal, is over the bytes before the last blank.

use std::{io, path::Path};

use jiff::Timestamp;
use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};

use super::{
    Head,
    disk::{Disk, Folder},
    line::instant,
};
use crate::hex::Hex;

/// What keeps heads from being anchored.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// A file cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The signing key is no Ed25519 key in PKCS#8.
    #[error("the signing key cannot be read: it must be an Ed25519 key in PKCS#8")]
    Key,
}

/// Signs heads.
#[derive(Debug)]
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// The key of a folder, made where there is none: `anchor.pk8`, for the owner only. `anchor.pub` is for whoever verifies.
    ///
    /// # Errors
    /// [`AnchorError`] where it cannot be read or made.
    pub fn open(folder: &Path) -> Result<Self, AnchorError> {
        let disk = Folder::open(folder)?;
        if disk.names()?.iter().any(|name| name == "anchor.pk8") {
            let mut key = Vec::new();
            io::Read::read_to_end(&mut disk.read("anchor.pk8", 0)?, &mut key)?;
            return Ok(Self(Ed25519KeyPair::from_pkcs8(&key).map_err(|_| AnchorError::Key)?));
        }
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| AnchorError::Key)?;
        let signer = Self(Ed25519KeyPair::from_pkcs8(key.as_ref()).map_err(|_| AnchorError::Key)?);
        for (name, content) in [("anchor.pub", hex(signer.0.public_key().as_ref()).into_bytes()), ("anchor.new", key.as_ref().to_vec())] {
            let mut file = disk.append_to(name)?;
            file.cut(0)?;
            file.append(&content)?;
            file.sync()?;
        }
        disk.rename("anchor.new", "anchor.pk8")?;
        disk.sync_names()?;
        Ok(signer)
    }

    /// The line for a head.
    #[must_use]
    pub fn line(&self, head: Head, at: Timestamp) -> String {
        let said = format!("{head} {}", instant(at));
        let signature = hex(self.0.sign(said.as_bytes()).as_ref());
        format!("{said} {signature}\n")
    }

    /// The public key, hexadecimal.
    #[must_use]
    pub fn public(&self) -> String {
        hex(self.0.public_key().as_ref())
    }
}

/// Reads a line and checks its signature by a public key, hexadecimal.
///
/// # Errors
/// What is wrong with it.
pub fn read(line: &str, public: &str) -> Result<Head, String> {
    let (said, signature) = line.trim_end().rsplit_once(' ').ok_or("not an anchor")?;
    let head: Head = said.split(' ').next().unwrap_or_default().parse().map_err(|_| "not an anchor")?;
    let (key, signature) = (bytes(public.trim()).ok_or("the public key is not hexadecimal")?, bytes(signature).ok_or("not a signature")?);
    let verified = UnparsedPublicKey::new(&ED25519, key).verify(said.as_bytes(), &signature);
    verified.map(|()| head).map_err(|_| format!("the signature of {} is not that of this key", head.sequence))
}

fn hex(bytes: &[u8]) -> String {
    Hex(bytes).to_string()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}
