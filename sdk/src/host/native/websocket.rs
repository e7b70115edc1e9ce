//! Connections that are over before they begin.

#[derive(Debug)]
pub(crate) struct Params;

impl Params {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn set_timeout(&self, _nanoseconds: u64) {}

    pub(crate) fn set_name(&self, _name: &str) {}

    pub(crate) fn set_tags(&self, _tags: u32) {}

    pub(crate) fn set_subprotocols(&self, _names: &[&str]) {}
}

pub(crate) struct Closing {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) error_code: u16,
}

#[expect(dead_code, reason = "nothing ever comes in")]
pub(crate) enum Event {
    Text(String),
    Binary(Vec<u8>),
    Pong(u64),
    Closed(Closing),
    Timeout,
}

pub(crate) struct Socket {
    url: String,
}

impl Socket {
    fn over() -> Closing {
        Closing { code: 1006, reason: super::NO_RUNTIME.to_owned(), error_code: 1000 }
    }

    pub(crate) fn send_text(&self, _text: &str) -> u16 {
        1000
    }

    pub(crate) fn send_binary(&self, _bytes: &[u8]) -> u16 {
        1000
    }

    pub(crate) fn receive(&self, _nanoseconds: u64) -> Event {
        Event::Closed(Self::over())
    }

    pub(crate) fn ping(&self, _nanoseconds: u64) -> Option<u64> {
        None
    }

    pub(crate) fn close(&self, _code: u16, _reason: &str, _nanoseconds: u64) -> Closing {
        Self::over()
    }

    pub(crate) fn ended(&self) -> Option<Closing> {
        Some(Self::over())
    }

    pub(crate) fn subprotocol(&self) -> Option<String> {
        None
    }

    pub(crate) fn headers(&self) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }
}

pub(crate) struct Opened {
    pub(crate) status: u16,
    pub(crate) error_code: u16,
    pub(crate) socket: Socket,
}

pub(crate) fn connect(url: &str, _headers: &[(&str, &[u8])], _params: Option<&Params>) -> Opened {
    Opened { status: 0, error_code: 1000, socket: Socket { url: url.to_owned() } }
}
