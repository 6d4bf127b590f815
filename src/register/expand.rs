//! Compressed registers (压缩文件): zstd and gzip, told by their first bytes, with limits against files that expand without end.

use std::{
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How far a compressed register may expand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes.
    pub bytes: u64,
    /// Most bytes for one compressed byte; asked once [`FREE`](Self::FREE) bytes are out.
    pub ratio: u64,
}

impl Limits {
    /// Bytes that any file may expand to.
    pub const FREE: u64 = 64 * 1024 * 1024;
}

impl Default for Limits {
    /// 1 TiB, as much as all firms of the country; 250, far more than texts of firms give.
    fn default() -> Self {
        Self { bytes: 1 << 40, ratio: 250 }
    }
}

/// A register expands too far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the compressed file expands beyond {} bytes, {} for one", .0.bytes, .0.ratio)]
pub struct TooLarge(pub Limits);

/// Counts the bytes that are read.
pub struct Counted<R> {
    input: R,
    count: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    /// Adds to `count`.
    pub const fn new(input: R, count: Arc<AtomicU64>) -> Self {
        Self { input, count }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.input.seek(to)
    }
}

/// A stream that expands within limits.
struct Expanding<R> {
    input: R,
    limits: Limits,
    compressed: Arc<AtomicU64>,
    out: u64,
}

impl<R: Read> Read for Expanding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.out += read as u64;
        let fair = self.compressed.load(Ordering::Relaxed).saturating_mul(self.limits.ratio).max(Limits::FREE);
        if self.out > self.limits.bytes.min(fair) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, TooLarge(self.limits)));
        }
        Ok(read)
    }
}

/// The stream expanded, if it is compressed; `compressed` counts what is read of it.
///
/// # Errors
/// Where it cannot be read.
pub fn expanded(input: impl Read + Send + 'static, compressed: &Arc<AtomicU64>, limits: Limits) -> io::Result<Box<dyn Read + Send>> {
    let mut input = BufReader::with_capacity(128 * 1024, Counted::new(input, Arc::clone(compressed)));
    let bounded = |input: Box<dyn Read + Send>| Box::new(Expanding { input, limits, compressed: Arc::clone(compressed), out: 0 });
    Ok(match input.fill_buf()? {
        [0x28, 0xB5, 0x2F, 0xFD, ..] => bounded(Box::new(zstd::Decoder::with_buffer(input)?)),
        [0x1F, 0x8B, ..] => bounded(Box::new(flate2::bufread::MultiGzDecoder::new(input))),
        _ => Box::new(input),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: Vec<u8>, limits: Limits) -> io::Result<u64> {
        let mut input = expanded(io::Cursor::new(bytes), &Arc::default(), limits)?;
        io::copy(&mut input, &mut io::sink())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).expect("memory");
        out.finish().expect("memory")
    }

    #[test]
    fn what_is_compressed_is_expanded() {
        let text = "某地众诚理财有限公司\n".repeat(1000);
        let zstd = zstd::encode_all(text.as_bytes(), 3).expect("memory");
        for bytes in [text.clone().into_bytes(), zstd, gzip(text.as_bytes()), [gzip(b""), gzip(text.as_bytes())].concat()] {
            assert_eq!(read(bytes, Limits::default()).expect("within the limits"), text.len() as u64);
        }
    }

    #[test]
    fn bombs_are_refused() {
        let zeros = vec![0; 80 << 20];
        for bomb in [gzip(&zeros), zstd::encode_all(&zeros[..], 3).expect("memory")] {
            let error = read(bomb, Limits::default()).unwrap_err();
            assert!(error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<TooLarge>), "{error}");
        }
        let text = b"abcdefghijklmnopqrstuvwxyz";
        assert!(read(gzip(text), Limits { bytes: 25, ..Limits::default() }).is_err());
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let whole = gzip("某地众诚理财有限公司\n".repeat(1000).as_bytes());
        assert!(read(whole[..whole.len() / 2].to_vec(), Limits::default()).is_err());
    }
}
