//! Calls that fail before they begin.

#[derive(Debug)]
pub(crate) struct Params;

impl Params {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn set_timeout(&self, _nanoseconds: u64) {}

    pub(crate) fn set_name(&self, _name: &str) {}

    pub(crate) fn set_tags(&self, _tags: u32) {}

    pub(crate) fn set_gzip(&self, _gzip: bool) {}

    pub(crate) fn set_max_message(&self, _bytes: u32) {}
}

pub(crate) struct Status {
    pub(crate) code: u32,
    pub(crate) message: String,
    pub(crate) error_code: u16,
}

fn unavailable() -> Status {
    Status { code: 14, message: super::NO_RUNTIME.to_owned(), error_code: 1000 }
}

pub(crate) struct Call;

impl Call {
    pub(crate) fn receive(&self) -> Option<Vec<u8>> {
        None
    }

    pub(crate) fn status(&self) -> Option<Status> {
        Some(unavailable())
    }

    pub(crate) fn headers(&self) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }

    pub(crate) fn trailers(&self) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }

    pub(crate) fn cancel(&self) {}
}

pub(crate) struct Reply {
    pub(crate) status: Status,
    pub(crate) message: Option<Vec<u8>>,
    pub(crate) call: Call,
}

pub(crate) fn unary(
    _url: &str,
    _method: &str,
    _metadata: &[(&str, &[u8])],
    _message: &[u8],
    _params: Option<&Params>,
) -> Reply {
    Reply { status: unavailable(), message: None, call: Call }
}

pub(crate) fn server_stream(
    _url: &str,
    _method: &str,
    _metadata: &[(&str, &[u8])],
    _message: &[u8],
    _params: Option<&Params>,
) -> Call {
    Call
}
