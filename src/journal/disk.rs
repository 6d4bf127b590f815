//! Files as the journal needs them (文件层): a thin layer that tests put faults into.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A file that is written at its end.
pub trait Appending: Send + fmt::Debug {
    /// Writes all of it at the end.
    ///
    /// # Errors
    /// Where it cannot; some of it may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all that was written is on the disk.
    ///
    /// # Errors
    /// Where that is not known.
    fn sync(&mut self) -> io::Result<()>;
    /// Its length, in bytes.
    ///
    /// # Errors
    /// Where it cannot be told.
    fn length(&self) -> io::Result<u64>;
    /// Cuts it to a length, in bytes.
    ///
    /// # Errors
    /// Where it cannot.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// A folder of files on a disk.
pub trait Disk: Send + Sync + fmt::Debug {
    /// The names of its files, sorted.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Reads a file from a byte on.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn read(&self, name: &str, from: u64) -> io::Result<Box<dyn Read + Send>>;
    /// Opens a file to write at its end; makes it, for the owner only, where there is none.
    ///
    /// # Errors
    /// Where it cannot.
    fn append_to(&self, name: &str) -> io::Result<Box<dyn Appending>>;
    /// Gives a file another name, in place of what had it.
    ///
    /// # Errors
    /// Where it cannot.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Returns when the names are on the disk.
    ///
    /// # Errors
    /// Where that is not known.
    fn sync_names(&self) -> io::Result<()>;
}

/// A folder of this machine.
#[derive(Debug)]
pub struct Folder(Box<Path>);

impl Folder {
    /// The folder with this path, made for the owner only where there is none.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            make(path)?;
        }
        Ok(Self(path.into()))
    }
}

fn make(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

impl Disk for Folder {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            names.extend(entry?.file_name().into_string().ok()); // what is no text is not ours
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, name: &str, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(self.0.join(name))?;
        file.seek(io::SeekFrom::Start(from))?;
        Ok(Box::new(file))
    }

    fn append_to(&self, name: &str) -> io::Result<Box<dyn Appending>> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(self.0.join(name))?;
        Ok(Box::new(AtEnd(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

#[derive(Debug)]
struct AtEnd(File);

impl Appending for AtEnd {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
}
