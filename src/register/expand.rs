//! Compressed registers (压缩文件): zstd and gzip, told by their first bytes, with limits against files that expand without end.

use std::{
    io::{self, BufRead, BufReader, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

/// How far a compressed register may expand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes.
    pub bytes: u64,
    /// Most bytes for one compressed byte, beyond what is free.
    pub ratio: u64,
    /// Bytes that any file may expand to.
    pub free: u64,
}

impl Default for Limits {
    /// 1 TiB, as much as all firms of the country; 250, far more than texts of firms give; 64 MiB are free.
    fn default() -> Self {
        Self { bytes: 1 << 40, ratio: 250, free: 64 << 20 }
    }
}

impl Limits {
    /// Checks how far so many bytes that were read expanded.
    pub(super) fn check(self, expanded: u64, read: u64) -> Result<(), TooLarge> {
        if expanded > self.bytes {
            Err(TooLarge::Bytes(self.bytes))
        } else if expanded > read.saturating_mul(self.ratio).max(self.free) {
            Err(TooLarge::Ratio(self.ratio))
        } else {
            Ok(())
        }
    }
}

/// A register expands too far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// To more bytes than this.
    #[error("the compressed file expands beyond {0} bytes")]
    Bytes(u64),
    /// To more bytes than this for one.
    #[error("the compressed file expands beyond {0} bytes for one of its own, as no register does")]
    Ratio(u64),
}

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
        let checked = self.limits.check(self.out, self.compressed.load(Ordering::Relaxed));
        checked.map(|()| read).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

/// Most bytes behind it that a zstd stream refers to, which are in memory: what zstd takes at level 19, without --long.
const MOST_WINDOW: u64 = 8 << 20;

/// The frames of a zstd stream, one after the other.
struct Zstd<R> {
    input: R,
    frame: FrameDecoder,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.frame.can_collect() > 0 && (self.frame.is_finished() || self.frame.can_collect() >= buffer.len()) {
                return self.frame.read(buffer);
            }
            if !self.frame.is_finished() {
                self.frame.decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBytes(buffer.len())).map_err(io::Error::other)?;
            } else if self.frame.get_checksum_from_data().is_some_and(|sum| Some(sum) != self.frame.get_calculated_checksum()) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a checksum of the compressed file is wrong"));
            } else if self.input.fill_buf()?.is_empty() {
                return Ok(0);
            } else {
                self.begin()?;
            }
        }
    }
}

impl<R: BufRead> Zstd<R> {
    fn begin(&mut self) -> io::Result<()> {
        match self.frame.reset(&mut self.input) {
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                io::copy(&mut self.input.by_ref().take(length.into()), &mut io::sink()).map(|_| ())
            }
            Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => {
                let (is, most) = (requested >> 20, MOST_WINDOW >> 20);
                let message =
                    format!("it was compressed with a window of {is} MiB, of at most {most}: compress it again without --long and --ultra");
                Err(io::Error::new(io::ErrorKind::InvalidData, message))
            }
            other => other.map_err(io::Error::other),
        }
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
        [0x28, 0xB5, 0x2F, 0xFD, ..] => {
            let mut frame = FrameDecoder::new();
            frame.set_max_window_size(MOST_WINDOW);
            bounded(Box::new(Zstd { input, frame }))
        }
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

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    /// A frame that is to be skipped.
    const SKIPPED: &[u8] = &[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3];

    #[test]
    fn what_is_compressed_is_expanded() {
        let text = "某地众诚理财有限公司\n".repeat(1000);
        let packed = zstd(text.as_bytes());
        for bytes in [
            text.clone().into_bytes(),
            packed.clone(),
            [zstd(b""), SKIPPED.to_vec(), packed].concat(),
            gzip(text.as_bytes()),
            [gzip(b""), gzip(text.as_bytes())].concat(),
        ] {
            assert_eq!(read(bytes, Limits::default()).expect("within the limits"), text.len() as u64);
        }
    }

    #[test]
    fn bombs_are_refused() {
        let zeros = vec![0; 4 << 20];
        let limits = Limits { free: 1 << 20, ..Limits::default() };
        for bomb in [gzip(&zeros), zstd(&zeros)] {
            let error = read(bomb, limits).unwrap_err();
            assert!(error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<TooLarge>), "{error}");
            assert_eq!(error.to_string(), TooLarge::Ratio(250).to_string());
        }
        let text = b"abcdefghijklmnopqrstuvwxyz";
        let error = read(gzip(text), Limits { bytes: 25, ..Limits::default() }).unwrap_err();
        assert_eq!(error.to_string(), "the compressed file expands beyond 25 bytes");
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let text = (0..20_000).map(|number| format!("某地众诚理财{number}有限公司")).collect::<Vec<_>>().join("\n");
        for whole in [gzip(text.as_bytes()), zstd(text.as_bytes())] {
            for end in [10, whole.len() / 2, whole.len() - 1] {
                assert!(read(whole[..end].to_vec(), Limits::default()).is_err(), "{end} of {}", whole.len());
            }
        }
    }
}
