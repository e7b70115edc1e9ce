//! The misbehaving server in HTTP/2, frame by frame: what a library that speaks it well would not send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};

use super::tls::{Certificates, config};
use super::{Faulty, Seen, close, drain, reset};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A thing to do with the first request.
#[derive(Clone, Debug)]
pub(crate) enum Http2Act {
    /// A frame of this type with these flags on the request's stream.
    Frame(u8, u8, Vec<u8>),
    /// A frame on another stream: 0 is the connection.
    FrameOn(u32, u8, u8, Vec<u8>),
    /// Any bytes.
    Bytes(Vec<u8>),
    /// Wait this long.
    Pause(Duration),
    /// Close with FIN, and not a word of TLS.
    Close,
    /// Close as TLS does.
    Finish,
    /// Close with RST.
    Reset,
    /// Do nothing until the other end gives up.
    Hang,
}

fn frame(stream: u32, kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

impl Faulty {
    /// Does this to the first request, and answers all others well. Agreed on in the TLS handshake.
    pub(crate) fn start_http2(acts: Vec<Http2Act>) -> Self {
        let config = config(&Certificates::get().good(), rustls::ALL_VERSIONS, &["h2"]);
        let first = AtomicBool::new(true);
        Self::serve("https", move |stream, seen| {
            let socket = stream.try_clone().expect("a second handle");
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream);
            let _ = converse(&mut stream, &socket, &acts, &first, seen);
        })
    }
}

fn converse(
    stream: &mut StreamOwned<ServerConnection, TcpStream>,
    socket: &TcpStream,
    acts: &[Http2Act],
    first: &AtomicBool,
    seen: &Mutex<Seen>,
) -> std::io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface)?;
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    stream.write_all(&frame(0, SETTINGS, 0, &[]))?;
    stream.flush()?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload)?;
        let (kind, flags) = (head[3], head[4]);
        let on = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        match kind {
            SETTINGS if flags & ACK == 0 => stream.write_all(&frame(0, SETTINGS, ACK, &[]))?,
            PING if flags & ACK == 0 => stream.write_all(&frame(0, PING, ACK, &payload))?,
            HEADERS => {
                seen.lock().unwrap().requests.push(format!("HEADERS {on}"));
                if !first.swap(false, Ordering::SeqCst) {
                    // 0x88 is `:status: 200`, by its number in HPACK's table.
                    stream.write_all(&frame(on, HEADERS, END_HEADERS, &[0x88]))?;
                    stream.write_all(&frame(on, DATA, END_STREAM, b"good"))?;
                    stream.flush()?;
                    continue;
                }
                for act in acts {
                    match act {
                        Http2Act::Frame(kind, flags, payload) => {
                            stream.write_all(&frame(on, *kind, *flags, payload))?
                        }
                        Http2Act::FrameOn(on, kind, flags, payload) => {
                            stream.write_all(&frame(*on, *kind, *flags, payload))?
                        }
                        Http2Act::Bytes(bytes) => stream.write_all(bytes)?,
                        Http2Act::Pause(time) => std::thread::sleep(*time),
                        Http2Act::Close => {
                            close(socket);
                            return Ok(());
                        }
                        Http2Act::Finish => {
                            stream.conn.send_close_notify();
                            stream.flush()?;
                            close(socket);
                            return Ok(());
                        }
                        Http2Act::Reset => {
                            reset(socket);
                            return Ok(());
                        }
                        Http2Act::Hang => {
                            drain(socket);
                            return Ok(());
                        }
                    }
                    stream.flush()?;
                }
            }
            _ => {}
        }
        stream.flush()?;
    }
}
