//! A server that answers 200 to everything, and knows the path of every request.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// It listens until the process ends.
pub(crate) struct Calls {
    address: SocketAddr,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Calls {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let paths: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&paths);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let noted = Arc::clone(&noted);
                std::thread::spawn(move || answer(&stream, &noted));
            }
        });
        Self { address, paths }
    }

    /// What follows `-e`.
    pub(crate) fn base_url(&self) -> String {
        format!("BASE_URL=http://{}", self.address)
    }

    /// The paths that were asked for so far.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Requests without a body, one after the other, until the client is gone.
fn answer(stream: &TcpStream, paths: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        lines.by_ref().find(String::is_empty);
        paths.lock().unwrap_or_else(PoisonError::into_inner).push(path);
        let mut stream = stream;
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}
