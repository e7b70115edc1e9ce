//! CPU per call of the real server: `cargo bench -p target-server --bench calls`.
//!
//! Starts the server, drives each kind of call over keep-alive connections, and reads the server's own CPU time from
//! `/proc`. What counts are the ratios between the rows: `health` does nothing but HTTP.

use std::error::Error;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The bytes of the n-th request of a kind.
type Request = Box<dyn Fn(u64) -> String>;

/// Clock ticks per second in `/proc/PID/stat`: fixed by Linux for user space.
const TICKS_PER_S: f64 = 100.0;
const CONNECTIONS: u64 = 256;
const CALLS: u64 = 200_000;

fn main() -> Result<()> {
    let data = tempfile::tempdir()?;
    let server =
        Server::start(data.path(), &std::env::args().skip(1).filter(|arg| arg != "--bench").collect::<Vec<_>>())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = std::io::stdout();
    writeln!(out, "{:<22} {:>10} {:>14} {:>10} {:>14}", "call", "calls/s", "CPU us/call", "x health", "calls/CPU-s")?;
    let json = |path: &str, body: String| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let kinds: [(&str, Request); 7] = [
        ("health", Box::new(|_| "GET /health HTTP/1.1\r\nHost: t\r\n\r\n".to_owned())),
        (
            "issue, new user",
            Box::new(move |n| json("/api/v1/coupons/issue", format!(r#"{{"userId":{},"couponId":3}}"#, n + 1))),
        ),
        (
            "issue, had one",
            Box::new(move |n| {
                json("/api/v1/coupons/issue", format!(r#"{{"userId":{},"couponId":3}}"#, n % 10_000 + 1))
            }),
        ),
        ("issue, anonymous", Box::new(|_| "POST /api/v1/user-coupons/1/issue HTTP/1.1\r\nHost: t\r\n\r\n".to_owned())),
        ("issue, sold out", Box::new(|_| "POST /api/v1/user-coupons/2/issue HTTP/1.1\r\nHost: t\r\n\r\n".to_owned())),
        ("charge", Box::new(|n| format!("POST /points/{}?point=5 HTTP/1.1\r\nHost: t\r\n\r\n", n % 7 + 1))),
        (
            "pay",
            Box::new(move |n| {
                json("/orders/payment/kafka", format!(r#"{{"buyerId":{},"orderId":{}}}"#, n % 7 + 1, n + 1))
            }),
        ),
    ];
    let mut base = None;
    for (name, call) in kinds {
        let (cpu_before, began) = (server.cpu_s()?, Instant::now());
        runtime.block_on(drive(server.address, call.as_ref()))?;
        let (wall_s, cpu_s) = (began.elapsed().as_secs_f64(), server.cpu_s()? - cpu_before);
        let cpu_us = cpu_s * 1e6 / CALLS as f64;
        let base = *base.get_or_insert(cpu_us);
        writeln!(
            out,
            "{name:<22} {:>10.0} {cpu_us:>14.1} {:>10.2} {:>14.0}",
            CALLS as f64 / wall_s,
            cpu_us / base,
            CALLS as f64 / cpu_s
        )?;
    }
    Ok(())
}

async fn drive(address: SocketAddr, call: &dyn Fn(u64) -> String) -> Result<()> {
    let wanted: Arc<Vec<String>> = Arc::new((0..CALLS).map(call).collect());
    let next = Arc::new(AtomicU64::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (wanted, next) = (Arc::clone(&wanted), Arc::clone(&next));
        clients.spawn(async move {
            let mut connection = TcpStream::connect(address).await?;
            connection.set_nodelay(true)?;
            let mut buffer = [0_u8; 4096];
            loop {
                let Some(request) = wanted.get(next.fetch_add(1, Ordering::Relaxed) as usize) else {
                    return Result::Ok(());
                };
                connection.write_all(request.as_bytes()).await?;
                // Every answer here fits one segment.
                let read = connection.read(&mut buffer).await?;
                if !buffer[..read].starts_with(b"HTTP/1.1 20") {
                    return Err(String::from_utf8_lossy(&buffer[..read]).into_owned().into());
                }
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(data: &std::path::Path, more: &[String]) -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_target-server"))
            .args([
                "--coupon",
                "1:1000000",
                "--coupon",
                "2:0",
                "--coupon",
                "3:1000000",
                "--orders",
                "200000",
                "--order-price",
                "1",
            ])
            .args(["--balance", "1000000000000", "--data"])
            .arg(data)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let address = line.trim().rsplit('/').next().ok_or("no address")?.parse()?;
        Ok(Self { child, address })
    }

    fn cpu_s(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // utime and stime are the 14th and 15th field; the name in the 2nd may hold spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().ok_or("no fields")?.split_whitespace().collect();
        Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / TICKS_PER_S)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
