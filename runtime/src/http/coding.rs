//! Codings of bodies: gzip, deflate, br and zstd, both ways. Large bodies are worked on in steps, between which others have their turn.

use std::io::{self, BufRead, Read, Write};

use bytes::Bytes;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use super::failure::{ErrorCode, Failure};
use super::payload::Payload;

/// What is read or written before others have their turn.
const TURN_BYTES: usize = 256 * 1024;
/// What is decoded at once.
const STEP_BYTES: usize = 64 * 1024;
/// Codings on top of each other: more are no honest answer.
const MAX_CODINGS: usize = 5;
/// The largest window of a zstd body: what RFC 9659 has every decoder take, and no more, as the sender chooses it.
const ZSTD_WINDOW_LOG: u32 = 23;
/// brotli's quality and window: what web servers use for answers that they compress as they go.
const BROTLI_QUALITY: u32 = 5;
const BROTLI_WINDOW_LOG: u32 = 22;

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    /// The zlib format; bare deflate is understood as well, since servers send it under the same name.
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding of this name.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        const NAMES: [(&str, Coding); 5] = [
            ("gzip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("deflate", Coding::Deflate),
            ("br", Coding::Brotli),
            ("zstd", Coding::Zstd),
        ];
        NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())).map(|(_, coding)| *coding)
    }

    /// What headers call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// The codings that `Content-Encoding` headers list, in the order in which they were applied; `None` if one is not known, or there are too
/// many: then the body is left as it is.
pub(crate) fn listed(headers: &[&[u8]]) -> Option<Vec<Coding>> {
    let names = headers.iter().flat_map(|header| header.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let coded = names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
    let codings: Vec<_> = coded.map(Coding::of).take(MAX_CODINGS + 1).collect::<Option<_>>()?;
    (codings.len() <= MAX_CODINGS).then_some(codings)
}

/// Undoes these codings, the last one first. No step of it gives more than `most` bytes.
///
/// # Errors
/// When the body is not what it says, or would become too long.
pub(crate) async fn decode(codings: &[Coding], mut body: Bytes, most: usize) -> Result<Bytes, Failure> {
    for coding in codings.iter().rev() {
        let decoded = match coding {
            Coding::Gzip => drain(flate2::bufread::MultiGzDecoder::new(Paced::new(&body)), most).await,
            Coding::Brotli => drain(brotli::Decompressor::new(Paced::new(&body), 4096), most).await,
            Coding::Zstd => match zstd::stream::read::Decoder::with_buffer(Paced::new(&body)) {
                Ok(mut decoder) => match decoder.window_log_max(ZSTD_WINDOW_LOG) {
                    Ok(()) => drain(decoder, most).await,
                    Err(error) => Err(Trouble::Broken(error)),
                },
                Err(error) => Err(Trouble::Broken(error)),
            },
            // What looks like the zlib format may still be bare.
            Coding::Deflate => match inflate(&body, true, most).await {
                Err(Trouble::Broken(_)) => inflate(&body, false, most).await,
                decoded => decoded,
            },
        };
        body = decoded.map_err(|trouble| trouble.told(*coding, most))?.into();
    }
    Ok(body)
}

/// Applies these codings to a body, in this order. No step of it may give more than `most` bytes.
///
/// # Errors
/// When the result would be too long.
pub(crate) async fn encode(codings: &[Coding], body: &Payload, most: usize) -> Result<Payload, Failure> {
    let mut body = body.clone();
    for coding in codings {
        let encoded = compress(*coding, &body, most).await;
        body = encoded
            .map_err(|error| {
                Failure::new(ErrorCode::OTHER, "compressing failed", format_args!("{}: {error}", coding.name()))
            })?
            .into();
    }
    Ok(body)
}

/// Why a body cannot be decoded.
enum Trouble {
    Broken(io::Error),
    TooLong,
}

impl Trouble {
    fn told(self, coding: Coding, most: usize) -> Failure {
        let coding = coding.name();
        match self {
            Self::Broken(error) => Failure::new(
                ErrorCode::DECOMPRESSION,
                "decompressing failed",
                format_args!("the body is no whole {coding} ({error})"),
            ),
            Self::TooLong => Failure::new(
                ErrorCode::DECOMPRESSION,
                "decompressed body too long",
                format_args!(
                    "the {coding} body becomes more than the {most} bytes that the instance may still hold; set discardResponseBodies, let \
                     go of responses, or raise --memory-limit"
                ),
            ),
        }
    }
}

fn truncated() -> Trouble {
    Trouble::Broken(io::ErrorKind::UnexpectedEof.into())
}

/// Reads a decoder to its end.
async fn drain(mut decoder: impl Read, most: usize) -> Result<Vec<u8>, Trouble> {
    let mut decoded = Vec::new();
    let mut step = vec![0; STEP_BYTES];
    let mut turn = 0;
    loop {
        match decoder.read(&mut step) {
            Ok(0) => return Ok(decoded),
            Ok(read) => {
                if decoded.len() + read > most {
                    return Err(Trouble::TooLong);
                }
                decoded.extend_from_slice(&step[..read]);
                turn += read;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => turn = TURN_BYTES,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Trouble::Broken(error)),
        }
        if turn >= TURN_BYTES {
            turn = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Deflate, in the zlib format or bare.
async fn inflate(body: &[u8], zlib: bool, most: usize) -> Result<Vec<u8>, Trouble> {
    let mut decoder = Decompress::new(zlib);
    let mut decoded = Vec::new();
    let mut step = vec![0; STEP_BYTES];
    let mut rest = body;
    let mut turn = 0;
    loop {
        let (consumed, produced) = (decoder.total_in(), decoder.total_out());
        let input = &rest[..rest.len().min(STEP_BYTES)];
        let status = decoder
            .decompress(input, &mut step, FlushDecompress::None)
            .map_err(|error| Trouble::Broken(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        let moved = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
        let (used, read) = (moved(decoder.total_in(), consumed), moved(decoder.total_out(), produced));
        if decoded.len() + read > most {
            return Err(Trouble::TooLong);
        }
        decoded.extend_from_slice(&step[..read]);
        rest = &rest[used..];
        match status {
            Status::StreamEnd => return Ok(decoded),
            _ if used == 0 && read == 0 => return Err(truncated()),
            _ => {}
        }
        turn += used.max(read);
        if turn >= TURN_BYTES {
            turn = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Bytes that stop for a moment (`WouldBlock`) every so often: a decoder that finds nothing to give in megabytes of input would not come back
/// otherwise.
struct Paced<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Paced<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, left: TURN_BYTES }
    }
}

impl BufRead for Paced<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 && !self.rest.is_empty() {
            self.left = TURN_BYTES;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(&self.rest[..self.rest.len().min(self.left)])
    }

    fn consume(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
        self.left -= bytes;
    }
}

impl Read for Paced<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let read = available.len().min(into.len());
        into[..read].copy_from_slice(&available[..read]);
        self.consume(read);
        Ok(read)
    }
}

/// A coding being applied.
enum Encoder {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Deflate(flate2::write::ZlibEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(flate2::write::GzEncoder::new(Vec::new(), Compression::default())),
            Coding::Deflate => Self::Deflate(flate2::write::ZlibEncoder::new(Vec::new(), Compression::default())),
            Coding::Brotli => Self::Brotli(Box::new(brotli::CompressorWriter::new(
                Vec::new(),
                4096,
                BROTLI_QUALITY,
                BROTLI_WINDOW_LOG,
            ))),
            Coding::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 0)?),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Deflate(encoder) => encoder.write_all(bytes),
            Self::Brotli(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    fn written(&self) -> usize {
        match self {
            Self::Gzip(encoder) => encoder.get_ref().len(),
            Self::Deflate(encoder) => encoder.get_ref().len(),
            Self::Brotli(encoder) => encoder.get_ref().len(),
            Self::Zstd(encoder) => encoder.get_ref().len(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Deflate(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

async fn compress(coding: Coding, body: &Payload, most: usize) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(coding)?;
    let mut turn = 0;
    for step in body.pieces().iter().flat_map(|piece| piece.chunks(STEP_BYTES)) {
        encoder.write(step)?;
        if encoder.written() > most {
            return Err(io::Error::other(format!("it has more than {most} bytes; raise --memory-limit")));
        }
        turn += step.len();
        if turn >= TURN_BYTES {
            turn = 0;
            tokio::task::yield_now().await;
        }
    }
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

    async fn encoded(codings: &[Coding], body: &[u8]) -> Bytes {
        let body = encode(codings, &body.to_vec().into(), usize::MAX).await.unwrap();
        body.pieces().concat().into()
    }

    /// Neither all the same nor incompressible.
    fn text(bytes: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"abcdefgh"[(state >> 29) as usize]
        };
        (0..bytes).map(|_| next()).collect()
    }

    #[tokio::test]
    async fn what_is_encoded_is_decoded_in_any_combination() {
        for length in [0, 1, 1_000, 3 << 20] {
            let body = text(length);
            for first in ALL {
                let once = encoded(&[first], &body).await;
                assert_eq!(decode(&[first], once, usize::MAX).await.unwrap(), body, "{first:?} of {length}");
            }
        }
        let body = text(10_000);
        for first in ALL {
            for second in ALL {
                let twice = encoded(&[first, second], &body).await;
                assert_eq!(decode(&[first, second], twice, usize::MAX).await.unwrap(), body, "{first:?}, {second:?}");
            }
        }
    }

    #[tokio::test]
    async fn deflate_may_be_bare_and_gzip_may_have_several_members() {
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
        bare.write_all(b"bare").unwrap();
        let bare = Bytes::from(bare.finish().unwrap());
        assert_eq!(&decode(&[Coding::Deflate], bare, 100).await.unwrap()[..], b"bare");
        let members = [encoded(&[Coding::Gzip], b"one ").await, encoded(&[Coding::Gzip], b"two").await].concat();
        assert_eq!(&decode(&[Coding::Gzip], members.into(), 100).await.unwrap()[..], b"one two");
    }

    #[tokio::test]
    async fn a_bomb_is_stopped_at_the_limit() {
        for coding in ALL {
            let bomb = encoded(&[coding], &vec![0; 8 << 20]).await;
            assert!(bomb.len() < 100_000);
            let failure = decode(&[coding], bomb.clone(), (8 << 20) - 1).await.unwrap_err();
            assert_eq!((failure.code, failure.tag), (ErrorCode::DECOMPRESSION, "decompressed body too long"));
            assert!(failure.text.contains("--memory-limit"), "{}", failure.text);
            assert_eq!(decode(&[coding], bomb, 8 << 20).await.unwrap().len(), 8 << 20);
        }
    }

    #[tokio::test]
    async fn broken_bodies_are_told_and_nothing_panics() {
        for coding in ALL {
            let whole = encoded(&[coding], &text(5_000)).await;
            for cut in [1, whole.len() / 2, whole.len() - 1] {
                let failure = decode(&[coding], whole.slice(..cut), usize::MAX).await.unwrap_err();
                assert_eq!(
                    (failure.code, failure.tag),
                    (ErrorCode::DECOMPRESSION, "decompressing failed"),
                    "{coding:?}"
                );
            }
            for place in 0..200 {
                let mut broken = whole.to_vec();
                broken[place] ^= 0x55;
                // Some of them still are what they should be; none of them panics or gives more than it may.
                let _ = decode(&[coding], broken.into(), 1 << 20).await;
            }
            let _ = decode(&[coding], text(300).into(), 1 << 20).await;
        }
    }

    #[tokio::test]
    async fn others_have_their_turn_while_a_large_body_is_decoded() {
        for coding in ALL {
            let body = encoded(&[coding], &vec![7; 16 << 20]).await;
            let decoding = tokio::spawn(async move { decode(&[coding], body, usize::MAX).await.unwrap().len() });
            let mut turns = 0;
            while !decoding.is_finished() {
                tokio::task::yield_now().await;
                turns += 1;
            }
            assert_eq!(decoding.await.unwrap(), 16 << 20);
            assert!(turns > 16, "{coding:?}: {turns}");
        }
    }

    #[tokio::test]
    async fn input_that_gives_nothing_does_not_hold_the_turn() {
        // Empty stored blocks: five bytes each, and no output.
        let body: Vec<u8> = std::iter::repeat_n([0, 0, 0, 0xff, 0xff], 400_000).flatten().chain([3, 0]).collect();
        let decoding = tokio::spawn(async move { decode(&[Coding::Deflate], body.into(), 100).await.unwrap().len() });
        let mut turns = 0;
        while !decoding.is_finished() {
            tokio::task::yield_now().await;
            turns += 1;
        }
        assert_eq!(decoding.await.unwrap(), 0);
        assert!(turns > 5, "{turns}");
    }

    #[test]
    fn codings_are_listed_as_they_were_applied() {
        assert_eq!(listed(&[b"gzip, BR", b"identity"]), Some(vec![Coding::Gzip, Coding::Brotli]));
        assert_eq!(listed(&[b""]), Some(vec![]));
        assert_eq!(listed(&[b"gzip, dcb"]), None);
        assert_eq!(listed(&[b"gzip,gzip,gzip,gzip,gzip,gzip"]), None);
    }
}
