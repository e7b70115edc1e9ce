//! The server that every generator of the bench attacks: one thread, small answers, a known delay, and a clock of its own.
//!
//! * any request but those below: 200 with a small JSON body, `--delay-ms` after its head was read;
//! * `GET /stats`: what it saw since the last reset, as JSON (see [`stats`]);
//! * `POST /reset`: forgets what it saw.

mod connection;
mod stats;

use std::convert::Infallible;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::net::{TcpListener, TcpSocket};

use connection::{Clock, Timed};
use stats::Stats;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connections that wait for being accepted; the kernel lowers it to its own limit.
const BACKLOG: u32 = 65_535;
const ANSWER: Bytes = Bytes::from_static(br#"{"status":"issued","couponId":3}"#);

/// A small, fast HTTP server that keeps its own exact clock.
#[derive(Debug, Parser)]
struct Args {
    /// Port on 127.0.0.1; 0 for a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Milliseconds between having read a request and answering it.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// The core to stay on.
    #[arg(long)]
    core: Option<usize>,
}

fn main() -> ExitCode {
    match serve(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &Args) -> std::io::Result<()> {
    if let Some(core) = args.core {
        let mut cores = CpuSet::new();
        cores.set(core);
        sched_setaffinity(None, &cores)?;
    }
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum })?;
    let delay = Duration::from_millis(args.delay_ms);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)))?;
        let listener = socket.listen(BACKLOG)?;
        writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
        accept(&listener, delay, &Arc::new(Stats::new())).await
    })
}

async fn accept(listener: &TcpListener, delay: Duration, stats: &Arc<Stats>) -> std::io::Result<()> {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Out of files, or a client that is gone already: the listener is as good as before.
            Err(error) => {
                writeln!(std::io::stderr(), "warn: a connection could not be accepted: {error}")?;
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        stream.set_nodelay(true)?;
        let clock = Arc::new(Clock::new(Arc::clone(stats)));
        let stream = Timed::new(TokioIo::new(stream), Arc::clone(&clock));
        let service = service_fn(move |request| answer(request, delay, Arc::clone(&clock)));
        let connection =
            http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(None).serve_connection(stream, service);
        // A client that goes away is no error of the server's.
        tokio::spawn(async move { drop(connection.await) });
    }
}

async fn answer(
    request: Request<Incoming>,
    delay: Duration,
    clock: Arc<Clock>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/stats") => return Ok(json(Bytes::from(clock.stats().to_json().to_string()))),
        (&Method::POST, "/reset") => {
            clock.stats().reset();
            return Ok(json(Bytes::from_static(b"{}")));
        }
        _ => {}
    }
    let begun = clock.head_read();
    // A body that breaks off ends the connection: hyper sees to it.
    drop(request.into_body().collect().await);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    clock.answers(begun);
    Ok(json(ANSWER))
}

fn json(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
