//! A bare hyper keep-alive loop: what a request costs at least with the HTTP library that the runtime uses.
//!
//! Each connection sends a POST with a small JSON body, reads the status and the body, and begins again. No options, no
//! checks but the status's, no metrics but one histogram; with mimalloc, which makes it cheaper than the system's allocator does: the bar is
//! the best that can be done so simply.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use hdrhistogram::Histogram;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use tokio::net::TcpStream;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BODY: Bytes = Bytes::from_static(br#"{"userId":1,"couponId":3}"#);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A bare hyper keep-alive loop.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// Where to send requests, such as http://127.0.0.1:8080/coupons
    url: Uri,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds that the load lasts.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// The core to stay on.
    #[arg(long)]
    core: Option<usize>,
    /// Which task drives a connection.
    #[arg(long, value_enum, default_value_t = Driver::OwnTask)]
    driver: Driver,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Driver {
    /// A task of its own, as hyper's guides do it.
    OwnTask,
    /// The task that sends the requests.
    SameTask,
}

fn main() -> ExitCode {
    let result = run(&Args::parse()).and_then(|line| Ok(writeln!(std::io::stdout(), "{line}")?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<String, Failure> {
    if let Some(core) = args.core {
        let mut cores = CpuSet::new();
        cores.set(core);
        sched_setaffinity(None, &cores)?;
    }
    let latency_us = Arc::new(Mutex::new(Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (begun, cpu_begun) = (Instant::now(), cpu_seconds());
    let until = begun + Duration::from_secs_f64(args.seconds);
    runtime.block_on(async {
        let loops: Vec<_> = (0..args.connections)
            .map(|_| tokio::spawn(connection(args.clone(), until, Arc::clone(&latency_us))))
            .collect();
        for each in loops {
            each.await??;
        }
        Ok::<_, Failure>(())
    })?;
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu_begun);
    let latency_us = latency_us.lock().unwrap_or_else(PoisonError::into_inner);
    let requests = latency_us.len();
    Ok(json!({
        "requests": requests,
        "seconds": seconds,
        "requests_per_second": requests as f64 / seconds,
        "cpu_seconds": cpu,
        "latency_us": {
            "p50": latency_us.value_at_quantile(0.50),
            "p95": latency_us.value_at_quantile(0.95),
            "p99": latency_us.value_at_quantile(0.99),
            "max": latency_us.max(),
        },
    })
    .to_string())
}

/// CPU time of this process so far, user and system.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// One connection's load until the time is over.
async fn connection(args: Args, until: Instant, latency_us: Arc<Mutex<Histogram<u64>>>) -> Result<(), Failure> {
    let authority = args.url.authority().ok_or("the URL has no host")?.as_str().to_owned();
    let stream = TcpStream::connect(&authority).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let requests = requests(sender, args.url.path().to_owned(), HeaderValue::from_str(&authority)?, until, latency_us);
    match args.driver {
        Driver::OwnTask => {
            tokio::spawn(async move { drop(connection.await) });
            requests.await
        }
        Driver::SameTask => {
            tokio::select! {
                biased;
                result = requests => result,
                end = connection => Err(format!("the server ended a connection: {end:?}").into()),
            }
        }
    }
}

async fn requests(
    mut sender: SendRequest<Full<Bytes>>,
    path: String,
    host: HeaderValue,
    until: Instant,
    latency_us: Arc<Mutex<Histogram<u64>>>,
) -> Result<(), Failure> {
    while Instant::now() < until {
        let request = Request::post(path.as_str())
            .header(HOST, &host)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static("hyper-loop"))
            .body(Full::new(BODY))?;
        let begun = Instant::now();
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        if status != StatusCode::OK {
            return Err(format!("the server answered {status} instead of 200").into());
        }
        let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        latency_us.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(took);
    }
    Ok(())
}
