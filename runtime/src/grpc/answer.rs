//! The head of an answer, on its way.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use h2::RecvStream;
use h2::client::ResponseFuture;
use http::Response;
use tokio::task::JoinHandle;

use crate::http::MAX_INFORMATIONAL;

type Outcome = Result<Response<RecvStream>, Lost>;

/// Why an answer has no head.
#[derive(Debug)]
pub(super) enum Lost {
    /// Its stream or its connection broke.
    Broken(h2::Error),
    /// The server sends what nobody has to take.
    Invalid(&'static str),
}

/// The head of an answer. Dropping it takes the request back.
#[derive(Debug)]
pub(super) enum Answer {
    /// Read by whoever waits for it, without a hop between tasks.
    Read(Reader),
    /// Read by a task.
    Attended(Attendant),
}

impl Answer {
    pub(super) const fn new(answer: ResponseFuture) -> Self {
        Self::Read(Reader { answer, informational: 0 })
    }

    /// Has it read from now on, whether or not somebody waits for it: `h2` keeps all informational answers until then, without a bound.
    pub(super) fn attended(self) -> Self {
        match self {
            Self::Read(mut reader) => {
                Self::Attended(Attendant(tokio::spawn(async move { poll_fn(|cx| reader.poll(cx)).await })))
            }
            attended @ Self::Attended(_) => attended,
        }
    }

    pub(super) async fn head(&mut self) -> Outcome {
        match self {
            Self::Read(reader) => poll_fn(|cx| reader.poll(cx)).await,
            Self::Attended(Attendant(task)) => {
                task.await.unwrap_or(Err(Lost::Invalid("what came before it could not be read")))
            }
        }
    }
}

/// Reads a head, and passes over the informational answers before it.
#[derive(Debug)]
pub(super) struct Reader {
    answer: ResponseFuture,
    informational: u32,
}

impl Reader {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        loop {
            match self.answer.poll_informational(cx) {
                Poll::Ready(Some(Ok(_))) => self.informational += 1,
                // The final answer is there, or none will come, or nothing has come yet: the same is found below.
                Poll::Ready(Some(Err(_)) | None) | Poll::Pending => break,
            }
            if self.informational > MAX_INFORMATIONAL {
                return Poll::Ready(Err(Lost::Invalid("informational answers without end")));
            }
        }
        Pin::new(&mut self.answer).poll(cx).map_err(Lost::Broken)
    }
}

/// The task that reads a head; it ends with this.
#[derive(Debug)]
pub(super) struct Attendant(JoinHandle<Outcome>);

impl Drop for Attendant {
    fn drop(&mut self) {
        self.0.abort();
    }
}
