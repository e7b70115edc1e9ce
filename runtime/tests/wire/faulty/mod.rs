//! A server that does to each path what a test tells it, byte by byte, and counts what it saw.

mod http2;
mod tls;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) use http2::{DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Http2Act, RST_STREAM, SETTINGS, WINDOW_UPDATE};
pub(crate) use tls::{Certificates, record};

/// A thing to do with a connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Write these bytes.
    Send(Vec<u8>),
    /// Write these bytes to the socket, below TLS if there is TLS.
    Below(Vec<u8>),
    /// Read the request's body, where the script has it not read before: see `converse`.
    TakeBody,
    /// Wait this long.
    Pause(Duration),
    /// Close with FIN, and nothing else.
    Close,
    /// Close with RST.
    Reset,
    /// Do nothing until the other end gives up.
    Hang,
}

/// Bytes to write.
pub(crate) fn send(bytes: impl AsRef<[u8]>) -> Act {
    Act::Send(bytes.as_ref().to_vec())
}

/// Bytes to write one by one, each after this many milliseconds.
pub(crate) fn drip(bytes: impl AsRef<[u8]>, milliseconds: u64) -> Vec<Act> {
    let each = |byte: &u8| [Act::Pause(Duration::from_millis(milliseconds)), send([*byte])];
    bytes.as_ref().iter().flat_map(each).collect()
}

/// What every other path is answered with.
pub(crate) const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";

#[derive(Default)]
struct Seen {
    connections: u64,
    requests: Vec<String>,
}

/// The server. It listens as long as this value lives.
pub(crate) struct Faulty {
    scheme: &'static str,
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    over: Arc<Mutex<bool>>,
}

impl Faulty {
    /// Does to requests of each path what is said, and answers all others well.
    pub(crate) fn start(script: impl IntoIterator<Item = (String, Vec<Act>)>) -> Self {
        let script: Arc<BTreeMap<String, Vec<Act>>> = Arc::new(script.into_iter().collect());
        Self::serve("http", move |mut stream, seen| {
            let socket = stream.try_clone().expect("a second handle");
            converse(&mut stream, &socket, &script, seen);
        })
    }

    fn serve(scheme: &'static str, each: impl Fn(TcpStream, &Mutex<Seen>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (seen, over) = (Arc::<Mutex<Seen>>::default(), Arc::new(Mutex::new(false)));
        let (shared, ended, each) = (Arc::clone(&seen), Arc::clone(&over), Arc::new(each));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if *ended.lock().unwrap() {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let _ = stream.set_nodelay(true);
                shared.lock().unwrap().connections += 1;
                let (shared, each) = (Arc::clone(&shared), Arc::clone(&each));
                std::thread::spawn(move || each(stream, &shared));
            }
        });
        Self { scheme, address, seen, over }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The same, spoken in another way than the server does.
    pub(crate) fn url_of(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.address)
    }

    /// The heads of the requests of this path, each as it came.
    pub(crate) fn requests(&self, path: &str) -> Vec<String> {
        let is = |head: &&String| head.split(' ').nth(1) == Some(path);
        self.seen.lock().unwrap().requests.iter().filter(is).cloned().collect()
    }

    /// How many requests there were.
    pub(crate) fn all_requests(&self) -> usize {
        self.seen.lock().unwrap().requests.len()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> u64 {
        self.seen.lock().unwrap().connections
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        *self.over.lock().unwrap() = true;
        let _ = TcpStream::connect(self.address);
    }
}

/// Does to each request what the script says; the socket is below the stream, if they are not the same. The body of one that asks whether
/// it is wanted is the script's to read, if there is one.
fn converse(
    stream: &mut (impl Read + Write),
    socket: &TcpStream,
    script: &BTreeMap<String, Vec<Act>>,
    seen: &Mutex<Seen>,
) {
    while let Some(head) = read_head(stream) {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let acts = script.get(&path);
        let asks = header(&head, "expect").is_some();
        if !(asks && acts.is_some()) && read_body(stream, &head).is_none() {
            return;
        }
        seen.lock().unwrap().requests.push(head.clone());
        let good = [send(GOOD)];
        for act in acts.map_or(&good[..], Vec::as_slice) {
            match act {
                Act::TakeBody => {
                    if read_body(stream, &head).is_none() {
                        return;
                    }
                }
                Act::Send(bytes) => {
                    if stream.write_all(bytes).and_then(|()| stream.flush()).is_err() {
                        return;
                    }
                }
                Act::Below(bytes) => {
                    let mut socket = socket;
                    if socket.write_all(bytes).is_err() {
                        return;
                    }
                }
                Act::Pause(time) => std::thread::sleep(*time),
                Act::Close => return close(socket),
                Act::Reset => return reset(socket),
                Act::Hang => return drain(socket),
            }
        }
    }
}

/// Whatever is still sent here is read, so that the close is a FIN.
fn close(socket: &TcpStream) {
    let _ = socket.shutdown(Shutdown::Write);
    drain(socket);
}

/// The kernel sends RST when the last handle is gone.
fn reset(socket: &TcpStream) {
    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
}

fn drain(mut socket: &TcpStream) {
    while socket.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
}

/// Reads a request's head.
fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

fn read_body(stream: &mut impl Read, head: &str) -> Option<()> {
    let length = header(head, "content-length").map_or(0, |length| length.parse().expect("a length"));
    stream.read_exact(&mut vec![0; length]).ok()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
