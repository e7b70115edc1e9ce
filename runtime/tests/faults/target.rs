//! A server that misbehaves as it is told, and counts exactly what it saw. It lives in the test's process: no fault of its own makes it
//! forget.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::support::PATIENCE;

/// What is done with a connection, before a byte of it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Welcome {
    /// Requests are read.
    Serve,
    /// It is reset.
    Reset,
}

/// What is done with a request that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// 200, and the connection is kept.
    Answer,
    /// 200 and not a word about it, but the connection is closed.
    AnswerAndClose,
    /// Nothing, until the other end gives up.
    Silence,
    /// The connection is reset.
    Reset,
    /// Half of an answer, then the connection is reset.
    ResetInAnswer,
    /// Bytes that are no HTTP.
    Garbage,
    /// An answer, a byte a second.
    Trickle,
}

/// What the server saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Connections that were accepted.
    pub(crate) connections: u64,
    /// Connections that were reset before anything was read.
    pub(crate) turned_away: u64,
    /// Requests read to the end of their bodies.
    pub(crate) requests: u64,
    /// Requests answered completely, as far as the server can know.
    pub(crate) answered: u64,
    /// Bytes read.
    pub(crate) bytes: u64,
    /// Connections that ended in the middle of a request.
    pub(crate) torn: u64,
    /// Requests by path.
    pub(crate) paths: BTreeMap<String, u64>,
}

type Script = Box<dyn Fn(&str, u64) -> Behaviour + Send + Sync>;
type Door = Box<dyn Fn(u64) -> Welcome + Send + Sync>;

struct Inner {
    seen: Mutex<Seen>,
    changed: Condvar,
    script: Script,
    door: Door,
    open: Mutex<BTreeMap<u64, TcpStream>>,
    closed: AtomicBool,
    serving: AtomicU64,
}

/// The server. Its end closes its connections.
pub(crate) struct Target {
    inner: Arc<Inner>,
    address: SocketAddr,
}

impl Target {
    /// Treats each request as the script says; it is given the path and the request's number among all, from 0.
    pub(crate) fn start(script: impl Fn(&str, u64) -> Behaviour + Send + Sync + 'static) -> Self {
        Self::with_door(|_| Welcome::Serve, script)
    }

    /// Treats all requests alike.
    pub(crate) fn always(behaviour: Behaviour) -> Self {
        Self::start(move |_, _| behaviour)
    }

    /// As [`start`](Self::start); the door is given a connection's number, from 0.
    pub(crate) fn with_door(
        door: impl Fn(u64) -> Welcome + Send + Sync + 'static,
        script: impl Fn(&str, u64) -> Behaviour + Send + Sync + 'static,
    ) -> Self {
        let inner = Arc::new(Inner {
            seen: Mutex::default(),
            changed: Condvar::new(),
            script: Box::new(script),
            door: Box::new(door),
            open: Mutex::default(),
            closed: AtomicBool::new(false),
            serving: AtomicU64::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        accept(&inner, listener);
        Self { inner, address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// `BASE_URL=…`, the value of `-e`.
    pub(crate) fn base_url(&self, path: &str) -> String {
        format!("BASE_URL={}", self.url(path))
    }

    /// Refuses connections from now on, and answers nothing on those that there are, as a killed server; but this one remembers.
    pub(crate) fn go_down(&self) {
        self.inner.closed.store(true, SeqCst);
        // Whoever accepts wakes up by being called.
        let _ = TcpStream::connect(self.address);
        self.wait_until("the listener is closed", |_| TcpStream::connect(self.address).is_err());
        for stream in self.inner.open.lock().unwrap().values() {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// Listens again, at the same address.
    pub(crate) fn come_back(&self) {
        self.inner.closed.store(false, SeqCst);
        accept(&self.inner, TcpListener::bind(self.address).expect("our own port"));
    }

    /// What was seen so far.
    pub(crate) fn seen(&self) -> Seen {
        self.inner.seen.lock().unwrap().clone()
    }

    /// What was seen, once nobody is connected any more: all that was on its way has been read.
    pub(crate) fn settled(&self) -> Seen {
        let serving = &self.inner.serving;
        self.wait_until("all connections are over", |_| serving.load(SeqCst) == 0)
    }

    /// What was seen when something more was seen, or when this time is over.
    pub(crate) fn seen_within(&self, time: Duration) -> Seen {
        let seen = self.inner.seen.lock().unwrap();
        self.inner.changed.wait_timeout(seen, time).unwrap().0.clone()
    }

    #[track_caller]
    fn wait_until(&self, what: &str, is: impl Fn(&Seen) -> bool) -> Seen {
        let begun = Instant::now();
        let mut seen = self.inner.seen.lock().unwrap();
        while !is(&seen) {
            assert!(begun.elapsed() < PATIENCE, "waited for: {what}; {seen:?}");
            seen = self.inner.changed.wait_timeout(seen, Duration::from_millis(20)).unwrap().0;
        }
        seen.clone()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.inner.closed.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Ok(open) = self.inner.open.lock() {
            open.values().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        }
    }
}

fn accept(inner: &Arc<Inner>, listener: TcpListener) {
    let inner = Arc::clone(inner);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if inner.closed.load(SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let number = inner.note(|seen| {
                seen.connections += 1;
                seen.connections - 1
            });
            if (inner.door)(number) == Welcome::Reset {
                inner.note(|seen| seen.turned_away += 1);
                reset(stream);
                continue;
            }
            inner.open.lock().unwrap().insert(number, stream.try_clone().expect("a second handle"));
            inner.serving.fetch_add(1, SeqCst);
            let inner = Arc::clone(&inner);
            std::thread::spawn(move || {
                inner.serve(stream);
                inner.open.lock().unwrap().remove(&number);
                inner.serving.fetch_sub(1, SeqCst);
                inner.changed.notify_all();
            });
        }
    });
}

/// Ends a connection with RST instead of FIN.
fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    drop(stream);
}

impl Inner {
    fn note<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let result = change(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
        result
    }

    fn serve(&self, mut stream: TcpStream) {
        const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz";
        let _ = stream.set_nodelay(true);
        let mut buffer = Vec::new();
        while let Some(path) = self.read_request(&mut stream, &mut buffer) {
            let number = self.note(|seen| {
                seen.requests += 1;
                *seen.paths.entry(path.clone()).or_default() += 1;
                seen.requests - 1
            });
            if self.closed.load(SeqCst) {
                return self.close(stream, buffer);
            }
            let told = match (self.script)(&path, number) {
                Behaviour::Answer => stream.write_all(ANSWER),
                Behaviour::AnswerAndClose => {
                    if stream.write_all(ANSWER).is_ok() {
                        self.note(|seen| seen.answered += 1);
                    }
                    return self.close(stream, buffer);
                }
                Behaviour::Silence => {
                    // Reading ends when the other end closes.
                    while stream.read(&mut [0; 512]).is_ok_and(|read| read > 0) {}
                    return;
                }
                Behaviour::Reset => return self.reset(stream),
                Behaviour::ResetInAnswer => {
                    let _ = stream.write_all(&ANSWER[..ANSWER.len() - 13]);
                    return self.reset(stream);
                }
                Behaviour::Garbage => {
                    let _ = stream.write_all(b"\x16\x03\x01 this is not the protocol you are looking for\r\n\r\n");
                    let _ = stream.shutdown(Shutdown::Write);
                    while stream.read(&mut [0; 512]).is_ok_and(|read| read > 0) {}
                    return;
                }
                Behaviour::Trickle => self.trickle(&mut stream, ANSWER),
            };
            if told.is_err() {
                return;
            }
            self.note(|seen| seen.answered += 1);
        }
    }

    /// Says that nothing more will be answered, and still reads what is on its way, as it counts.
    fn close(&self, mut stream: TcpStream, mut buffer: Vec<u8>) {
        let _ = stream.shutdown(Shutdown::Write);
        while let Some(path) = self.read_request(&mut stream, &mut buffer) {
            self.note(|seen| {
                seen.requests += 1;
                *seen.paths.entry(path).or_default() += 1;
            });
        }
    }

    /// Once the handle in `open` is gone too, closing is the kernel's last word.
    fn reset(&self, stream: TcpStream) {
        let peer = stream.peer_addr();
        self.open.lock().unwrap().retain(|_, other| other.peer_addr().ok() != peer.as_ref().ok().copied());
        reset(stream);
    }

    fn trickle(&self, stream: &mut TcpStream, answer: &[u8]) -> std::io::Result<()> {
        for byte in answer {
            stream.write_all(std::slice::from_ref(byte))?;
            // The other end may give up meanwhile.
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            match stream.read(&mut [0; 1]) {
                Ok(_) => return Err(ErrorKind::BrokenPipe.into()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
        stream.set_read_timeout(None)
    }

    /// Reads one request to the end of its body; gives its path.
    fn read_request(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
        loop {
            if let Some((path, length)) = complete(buffer) {
                buffer.drain(..length);
                return Some(path);
            }
            let mut chunk = [0; 16 * 1024];
            match stream.read(&mut chunk) {
                Ok(read) if read > 0 => {
                    buffer.extend_from_slice(&chunk[..read]);
                    self.note(|seen| seen.bytes += read as u64);
                }
                _ => {
                    if !buffer.is_empty() {
                        self.note(|seen| seen.torn += 1);
                    }
                    return None;
                }
            }
        }
    }
}

/// The path and the length of a request that is there with all of its body.
fn complete(bytes: &[u8]) -> Option<(String, usize)> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).expect("our client's heads are text");
    let path = text.split(' ').nth(1).expect("a request line has a path").to_owned();
    let body = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.trim().parse().expect("a length"));
    (bytes.len() >= head + body).then_some((path, head + body))
}
