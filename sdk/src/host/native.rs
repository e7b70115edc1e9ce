//! A stand-in for the runtime where there is none: a scenario's own logic can be tested as a native program. Requests are
//! not sent, checks and metrics go nowhere; the rest is done with what the machine at hand has.

/// Why nothing goes out.
const NO_RUNTIME: &str =
    "there is no runtime that could send it: build for wasm32-wasip2 and start it with `runtime run`";

#[path = "native/data.rs"]
pub(crate) mod data;
#[cfg(feature = "grpc")]
#[path = "native/grpc.rs"]
pub(crate) mod grpc;
#[path = "native/shared.rs"]
pub(crate) mod shared;
#[path = "native/websocket.rs"]
pub(crate) mod websocket;

pub(crate) mod checks {
    pub(crate) fn intern(_name: &str) -> u32 {
        0
    }

    pub(crate) fn add(_check: u32, _passed: bool, _tags: u32) {}
}

pub(crate) mod env {
    pub(crate) fn get(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

pub(crate) mod execution {
    pub(crate) fn vu_id() -> u64 {
        0
    }

    pub(crate) fn iteration_in_vu() -> u64 {
        0
    }

    pub(crate) fn iteration_in_scenario() -> u64 {
        0
    }

    pub(crate) fn scenario_name() -> String {
        String::new()
    }

    pub(crate) fn scenario_executor() -> String {
        String::new()
    }

    pub(crate) fn scenario_elapsed() -> u64 {
        0
    }

    pub(crate) fn scenario_progress() -> f64 {
        0.0
    }

    pub(crate) fn test_elapsed() -> u64 {
        0
    }

    pub(crate) fn iteration_elapsed() -> u64 {
        0
    }

    pub(crate) fn iteration_of_vu_in_scenario() -> u64 {
        0
    }

    pub(crate) fn scenario_began() -> u64 {
        0
    }

    pub(crate) fn iterations_completed() -> u64 {
        0
    }

    pub(crate) fn iterations_interrupted() -> u64 {
        0
    }

    pub(crate) fn vus_active() -> u64 {
        0
    }

    pub(crate) fn vus_initialised() -> u64 {
        0
    }

    pub(crate) fn tags() -> Vec<(String, String)> {
        Vec::new()
    }

    pub(crate) fn options() -> String {
        String::new()
    }

    std::thread_local! {
        static SETUP_DATA: std::cell::RefCell<Option<Vec<u8>>> = const { std::cell::RefCell::new(None) };
    }

    pub(crate) fn setup_data() -> Option<Vec<u8>> {
        SETUP_DATA.with_borrow(Clone::clone)
    }

    pub(crate) fn keep_setup_data(data: Option<Vec<u8>>) {
        SETUP_DATA.set(data);
    }

    pub(crate) fn set_vu_tag(_name: &str, _value: &str) {}

    pub(crate) fn stop(_reason: &str) {}

    pub(crate) fn fail(_reason: &str) {}

    pub(crate) fn abort(reason: &str) {
        panic!("the test is aborted: {reason}");
    }

    pub(crate) fn fail_iteration(reason: &str) {
        panic!("{reason}");
    }
}

pub(crate) mod groups {
    pub(crate) fn enter(_name: &str) {}

    pub(crate) fn leave() {}
}

pub(crate) mod http {
    #[expect(dead_code, reason = "nobody reads what is not sent")]
    #[derive(Clone, Debug)]
    pub(crate) enum Method<'a> {
        Get,
        Head,
        Post,
        Put,
        Delete,
        Options,
        Patch,
        Other(&'a str),
    }

    #[cfg_attr(not(test), expect(dead_code, reason = "nobody reads what is not sent"))]
    #[derive(Clone, Debug)]
    pub(crate) struct Request<'a> {
        pub(crate) method: Method<'a>,
        pub(crate) url: &'a str,
        pub(crate) headers: &'a [(&'a str, &'a [u8])],
        pub(crate) body: Option<&'a [u8]>,
    }

    /// Remembers what was said, for this crate's own tests.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub(crate) struct Said {
        pub(crate) timeout_ns: u64,
        pub(crate) name: String,
        pub(crate) tags: u32,
        pub(crate) redirects: Option<u32>,
        pub(crate) expected: Vec<(u16, u16)>,
        pub(crate) discard: Option<bool>,
        pub(crate) connect_timeout_ns: u64,
        pub(crate) digest: Option<(String, String)>,
        pub(crate) compression: Vec<String>,
        pub(crate) chunked: bool,
        pub(crate) http_version: String,
    }

    #[derive(Debug)]
    pub(crate) struct Params {
        /// Which one it is, of all.
        #[cfg_attr(not(test), expect(dead_code, reason = "only this crate's tests ask"))]
        pub(crate) number: usize,
        said: std::sync::Mutex<Said>,
    }

    impl Params {
        pub(crate) fn new() -> Self {
            use std::sync::atomic::{AtomicUsize, Ordering};

            static MADE: AtomicUsize = AtomicUsize::new(0);
            Self { number: MADE.fetch_add(1, Ordering::Relaxed), said: std::sync::Mutex::default() }
        }

        pub(crate) fn set_timeout(&self, nanoseconds: u64) {
            self.said().timeout_ns = nanoseconds;
        }

        pub(crate) fn set_name(&self, name: &str) {
            name.clone_into(&mut self.said().name);
        }

        pub(crate) fn set_tags(&self, tags: u32) {
            self.said().tags = tags;
        }

        pub(crate) fn set_redirects(&self, most: u32) {
            self.said().redirects = Some(most);
        }

        pub(crate) fn set_expected_statuses(&self, ranges: &[(u16, u16)]) {
            ranges.clone_into(&mut self.said().expected);
        }

        pub(crate) fn set_discard_body(&self, discard: bool) {
            self.said().discard = Some(discard);
        }

        pub(crate) fn set_connect_timeout(&self, nanoseconds: u64) {
            self.said().connect_timeout_ns = nanoseconds;
        }

        pub(crate) fn set_digest(&self, user: &str, password: &str) {
            self.said().digest = Some((user.to_owned(), password.to_owned()));
        }

        pub(crate) fn set_compression(&self, codings: &[&str]) -> Result<(), String> {
            self.said().compression = codings.iter().map(|coding| (*coding).to_owned()).collect();
            Ok(())
        }

        pub(crate) fn set_chunked(&self, chunked: bool) {
            self.said().chunked = chunked;
        }

        pub(crate) fn set_http_version(&self, version: &str) -> Result<(), String> {
            version.clone_into(&mut self.said().http_version);
            Ok(())
        }

        pub(crate) fn said(&self) -> std::sync::MutexGuard<'_, Said> {
            self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Timings {
        pub(crate) blocked: u64,
        pub(crate) connecting: u64,
        pub(crate) tls_handshaking: u64,
        pub(crate) sending: u64,
        pub(crate) waiting: u64,
        pub(crate) receiving: u64,
    }

    pub(crate) struct Response {
        url: String,
    }

    impl Response {
        pub(crate) fn header(&self, _name: &str) -> Option<Vec<u8>> {
            None
        }

        pub(crate) fn headers(&self) -> Vec<(String, Vec<u8>)> {
            Vec::new()
        }

        pub(crate) fn body(&self) -> Vec<u8> {
            Vec::new()
        }

        pub(crate) fn timings(&self) -> Timings {
            Timings::default()
        }

        pub(crate) fn error(&self) -> Option<String> {
            Some(super::NO_RUNTIME.to_owned())
        }

        pub(crate) fn url(&self) -> String {
            self.url.clone()
        }

        pub(crate) fn protocol(&self) -> String {
            String::new()
        }

        pub(crate) fn redirects(&self) -> u32 {
            0
        }

        pub(crate) fn expected(&self) -> bool {
            false
        }

        pub(crate) fn status_text(&self) -> String {
            String::new()
        }

        pub(crate) fn tls_version(&self) -> String {
            String::new()
        }

        pub(crate) fn remote_address(&self) -> Option<String> {
            None
        }
    }

    /// Takes anything: what was granted is known where it runs.
    pub(crate) struct Body;

    impl Body {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn add_bytes(&self, _bytes: &[u8]) {}

        pub(crate) fn add_file(&self, _name: &str) -> Result<(), String> {
            Ok(())
        }
    }

    pub(crate) fn send_body(request: Request<'_>, _body: &Body, params: Option<&Params>) -> Reply {
        send(request, params)
    }

    pub(crate) fn set_expected_statuses(_ranges: &[(u16, u16)]) {}

    pub(crate) fn cookies(_url: &str) -> Result<Vec<(String, String)>, String> {
        Ok(Vec::new())
    }

    pub(crate) fn set_cookie(_url: &str, _cookie: &str) -> Result<(), String> {
        Ok(())
    }

    pub(crate) fn remove_cookie(_url: &str, _name: &str) -> Result<(), String> {
        Ok(())
    }

    pub(crate) fn clear_cookies(_url: &str) -> Result<(), String> {
        Ok(())
    }

    pub(crate) struct Reply {
        pub(crate) status: u16,
        pub(crate) error_code: u16,
        pub(crate) response: Response,
    }

    /// A request as the runtime would have got it.
    #[cfg(test)]
    #[derive(Debug)]
    pub(crate) struct Sent {
        pub(crate) method: String,
        pub(crate) url: String,
        pub(crate) headers: Vec<(String, String)>,
        pub(crate) body: Option<Vec<u8>>,
        /// The parameters' number and what they say.
        pub(crate) params: Option<(usize, Said)>,
    }

    #[cfg(test)]
    std::thread_local! {
        pub(crate) static SENT: std::cell::RefCell<Vec<Sent>> = const { std::cell::RefCell::new(Vec::new()) };
    }

    pub(crate) fn send_all(requests: &[(Request<'_>, Option<&Body>, Option<&Params>)]) -> Vec<Reply> {
        let send = |(request, body, params): &(Request<'_>, Option<&Body>, Option<&Params>)| match body {
            None => send(request.clone(), *params),
            Some(body) => send_body(request.clone(), body, *params),
        };
        requests.iter().map(send).collect()
    }

    #[cfg_attr(not(test), expect(unused_variables, reason = "there is nobody to send it"))]
    pub(crate) fn send(request: Request<'_>, params: Option<&Params>) -> Reply {
        #[cfg(test)]
        SENT.with_borrow_mut(|sent| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            sent.push(Sent {
                method: format!("{:?}", request.method),
                url: request.url.to_owned(),
                headers: request.headers.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect(),
                body: request.body.map(<[u8]>::to_vec),
                params: params.map(|params| (params.number, params.said().clone())),
            });
        });
        Reply { status: 0, error_code: 1000, response: Response { url: request.url.to_owned() } }
    }
}

pub(crate) mod streaming {
    use super::http::{Body, Params, Request, Timings};

    #[expect(dead_code, reason = "nothing is ever late, or comes at all but in tests")]
    pub(crate) enum Piece {
        Bytes(Vec<u8>),
        End,
        Late,
        Failed,
    }

    pub(crate) struct AnswerStream {
        url: String,
        #[cfg(test)]
        pieces: std::cell::RefCell<Vec<Vec<u8>>>,
    }

    /// What the next stream gives, for this crate's own tests.
    #[cfg(test)]
    pub(crate) fn script(pieces: &[&str]) {
        SCRIPT.set(pieces.iter().rev().map(|piece| piece.as_bytes().to_vec()).collect());
    }

    #[cfg(test)]
    std::thread_local! {
        static SCRIPT: std::cell::RefCell<Vec<Vec<u8>>> = const { std::cell::RefCell::new(Vec::new()) };
    }

    pub(crate) fn open(request: Request<'_>, _body: Option<&Body>, _params: Option<&Params>) -> AnswerStream {
        AnswerStream {
            url: request.url.to_owned(),
            #[cfg(test)]
            pieces: std::cell::RefCell::new(SCRIPT.take()),
        }
    }

    impl AnswerStream {
        pub(crate) fn status(&self) -> u16 {
            0
        }

        pub(crate) fn error_code(&self) -> u16 {
            1000
        }

        pub(crate) fn error(&self) -> Option<String> {
            Some("there is no runtime that could send it".to_owned())
        }

        pub(crate) fn header(&self, _name: &str) -> Option<Vec<u8>> {
            None
        }

        pub(crate) fn headers(&self) -> Vec<(String, Vec<u8>)> {
            Vec::new()
        }

        pub(crate) fn url(&self) -> String {
            self.url.clone()
        }

        pub(crate) fn protocol(&self) -> String {
            String::new()
        }

        pub(crate) fn timings(&self) -> Timings {
            Timings::default()
        }

        pub(crate) fn read(&self, _nanoseconds: u64) -> Piece {
            #[cfg(test)]
            return self.pieces.borrow_mut().pop().map_or(Piece::End, Piece::Bytes);
            #[cfg(not(test))]
            Piece::Failed
        }

        pub(crate) fn close(&self) {}
    }
}

pub(crate) mod events {
    use super::http::{Body, Params, Request};
    use super::streaming::AnswerStream;

    pub(crate) struct Event {
        pub(crate) id: String,
        pub(crate) kind: String,
        pub(crate) data: String,
        pub(crate) retry: Option<u64>,
    }

    #[expect(dead_code, reason = "nothing ever comes")]
    pub(crate) enum Outcome {
        Event(Event),
        End,
        Late,
        Failed,
    }

    pub(crate) fn open(request: Request<'_>, body: Option<&Body>, params: Option<&Params>) -> AnswerStream {
        super::streaming::open(request, body, params)
    }

    pub(crate) fn next(_stream: &AnswerStream, _nanoseconds: u64) -> Outcome {
        Outcome::Failed
    }
}

pub(crate) mod log {
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Level {
        Debug,
        Info,
        Warn,
        Error,
    }

    #[expect(clippy::print_stderr, reason = "without a runtime, standard error is where lines go")]
    pub(crate) fn write(level: Level, message: &str) {
        eprintln!("{level:?}: {message}");
    }
}

pub(crate) mod metrics {
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Kind {
        Counter,
        Gauge,
        Rate,
        Trend,
    }

    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Contains {
        Default,
        Time,
        Data,
    }

    pub(crate) fn register(_name: &str, _kind: Kind, _contains: Contains) -> Result<u32, String> {
        Ok(0)
    }

    std::thread_local! {
        static NEXT_TAGS: std::cell::Cell<u32> = const { std::cell::Cell::new(1) };
    }

    /// A new handle for each call, so that tests see who asks again.
    pub(crate) fn intern_tags(_tags: &[(&str, &str)]) -> u32 {
        NEXT_TAGS.replace(NEXT_TAGS.get() + 1)
    }

    pub(crate) fn add(_metric: u32, _value: f64, _tags: u32) {}
}

pub(crate) mod random {
    use std::hash::{BuildHasher, RandomState};

    /// The standard library's hash maps are seeded by the machine: enough for trying things out.
    pub(crate) fn next_u64() -> u64 {
        RandomState::new().hash_one(0)
    }
}

pub(crate) mod timer {
    pub(crate) fn sleep(nanoseconds: u64) {
        std::thread::sleep(std::time::Duration::from_nanos(nanoseconds));
    }
}
