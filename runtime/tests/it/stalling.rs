//! A server that answers at once, except that it stalls at the end of every period; and what its clients must have felt, worked out
//! from that alone. `bench/coordinated-omission` draws its picture with the same file.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// When the server stalls, from its first request on.
#[derive(Clone, Copy)]
pub(crate) struct Stalls {
    /// From one stall's end to the next one's.
    pub(crate) period: Duration,
    /// How long each is.
    pub(crate) length: Duration,
}

impl Stalls {
    /// How long a request waits that comes so long after the first one.
    pub(crate) fn wait(&self, after: Duration) -> Duration {
        let inside = Duration::from_nanos((after.as_nanos() % self.period.as_nanos()) as u64);
        if inside < self.period - self.length { Duration::ZERO } else { self.period - inside }
    }

    /// What users feel who come at a steady rate, whoever came before them: in rising order.
    pub(crate) fn felt(&self, per_second: u32, load: Duration) -> Vec<Duration> {
        let users = per_second * load.as_secs() as u32;
        let mut waits: Vec<_> =
            (0..users).map(|user| self.wait(Duration::from_secs(user.into()) / per_second)).collect();
        waits.sort_unstable();
        waits
    }
}

/// Listens on a free port until the process ends.
pub(crate) fn start(stalls: Stalls) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let first = Arc::new(OnceLock::new());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let first = Arc::clone(&first);
            // A connection is a user who waits, or does not: a thread each is the simplest thing.
            std::thread::spawn(move || serve(stream, stalls, &first));
        }
    });
    address
}

/// Answers requests without a body until the client goes away.
fn serve(mut stream: TcpStream, stalls: Stalls, first: &OnceLock<Instant>) {
    let mut request = Vec::new();
    let mut bytes = [0; 1_024];
    while let Ok(read @ 1..) = stream.read(&mut bytes) {
        request.extend_from_slice(&bytes[..read]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        request.clear();
        let wait = stalls.wait(first.get_or_init(Instant::now).elapsed());
        std::thread::sleep(wait);
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
            break;
        }
    }
}
