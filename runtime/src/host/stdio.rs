//! A module's standard output and standard error: lines in the log, marked with the virtual user and its iteration.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::log::{Level, Log, Source};

/// A line that does not end is written out in pieces of this size.
const MAX_LINE_BYTES: usize = 4096;
/// What one log message may hold; the rest is cut.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
const MAX_MESSAGE_LINES: usize = 100;
/// What a module may write at once.
const PERMIT_BYTES: usize = 64 * 1024;

/// One virtual user's voice.
#[derive(Debug)]
pub(crate) struct Speaker {
    log: Log,
    state: Mutex<Speech>,
}

#[derive(Debug)]
struct Speech {
    source: Source,
    /// The unfinished line, and the level of the stream that it is written to.
    line: Vec<u8>,
    level: Level,
}

impl Speaker {
    pub(crate) const fn new(log: Log) -> Self {
        let speech = Speech { source: Source::Runtime, line: Vec::new(), level: Level::Info };
        Self { log, state: Mutex::new(speech) }
    }

    pub(crate) fn speaks_as(&self, source: Source) {
        self.with(|speech| speech.source = source);
    }

    /// Writes whole lines.
    pub(crate) fn say(&self, level: Level, text: &str) {
        let source = self.with(|speech| speech.source.clone());
        // One call must not keep the thread busy: what is beyond is not worth reading either.
        let text = &text[..text.floor_char_boundary(MAX_MESSAGE_BYTES)];
        for line in text.lines().take(MAX_MESSAGE_LINES) {
            self.log.write(level, source.clone(), line);
        }
    }

    /// Writes lines that belong together, and that somebody asked for: they are never thinned out.
    pub(crate) fn show(&self, what: &str, lines: Vec<String>) {
        let source = self.with(|speech| speech.source.clone());
        self.log.show(what, &source, lines);
    }

    /// Writes out a line that has no end.
    pub(crate) fn flush(&self) {
        self.with(|speech| self.end_line(speech));
    }

    fn print(&self, level: Level, bytes: &[u8]) {
        self.with(|speech| {
            if speech.level != level {
                self.end_line(speech);
                speech.level = level;
            }
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                let ends = piece.last() == Some(&b'\n');
                speech.line.extend_from_slice(if ends { &piece[..piece.len() - 1] } else { piece });
                if ends || speech.line.len() >= MAX_LINE_BYTES {
                    self.end_line(speech);
                }
            }
        });
    }

    fn end_line(&self, speech: &mut Speech) {
        if !speech.line.is_empty() {
            let line = std::mem::take(&mut speech.line);
            self.log.write(speech.level, speech.source.clone(), String::from_utf8_lossy(&line).trim_end_matches('\r'));
        }
    }

    fn with<R>(&self, act: impl FnOnce(&mut Speech) -> R) -> R {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A WASI output stream into the log.
#[derive(Debug, Clone)]
pub(crate) struct LogStream {
    speaker: Arc<Speaker>,
    level: Level,
}

impl LogStream {
    pub(crate) const fn new(speaker: Arc<Speaker>, level: Level) -> Self {
        Self { speaker, level }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.speaker.print(self.level, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT_BYTES)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for LogStream {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.speaker.print(self.level, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
