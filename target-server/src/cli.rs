//! What may be typed on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::ids::CouponId;
use crate::knobs::{Latency, parse_duration};
use crate::seed::CouponSeed;

/// The server that the shipped scenarios attack: coupons, points and payments, kept durably in a folder.
///
/// The first line on stdout is `listening on URL`. SIGINT and SIGTERM stop it once everything in flight is answered.
#[derive(Clone, Debug, Parser)]
#[command(name = "target-server", version, max_term_width = 100)]
pub struct Args {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    pub listen: SocketAddr,

    /// Address and port to listen on for gRPC; port 0 takes a free one [default: none]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub grpc: Option<SocketAddr>,

    /// Folder of the store, made if missing [default: target-server-data in the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Empty the store in the folder before starting
    #[arg(long)]
    pub fresh: bool,

    /// Time added to each call: 20ms, uniform:10ms..50ms, normal:MEAN,DEVIATION, exponential:MEAN or
    /// lognormal:MEAN,DEVIATION; units us, ms, s, m; rounded up to the next millisecond
    #[arg(long, value_name = "LATENCY", default_value = "0")]
    pub latency: Latency,

    /// Share of calls, 0 to 1, answered 500 instead of being done
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, allow_negative_numbers = true)]
    pub error_rate: f64,

    /// Calls let in at once, 1 or more; the others wait in order. /health, /metrics, /audit and /reset are exempt from
    /// this and from added latency and errors [default: no limit]
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    pub max_concurrency: Option<usize>,

    /// Threads that serve connections, 1 or more; the store has one more thread of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = positive, allow_negative_numbers = true)]
    pub threads: usize,

    /// How long to wait, once told to stop, for calls in flight
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub grace: Duration,

    /// Coupon and its stock, for an empty store and for resets; may be repeated [default: 1:10000 and 3:100000]
    #[arg(long, value_name = "ID:STOCK", value_parser = coupon)]
    pub coupon: Vec<CouponSeed>,

    /// Number of buyers, numbered from 1 [default: 7]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub buyers: Option<i64>,

    /// First balance of each buyer, in points [default: 1000000]
    #[arg(long, value_name = "POINTS", allow_negative_numbers = true)]
    pub balance: Option<i64>,

    /// Number of orders, numbered from 1 [default: 107]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub orders: Option<i64>,

    /// Price of order 1, in points; order n costs n times as much [default: 100]
    #[arg(long, value_name = "POINTS", allow_negative_numbers = true)]
    pub order_price: Option<i64>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "not an IP address and port; write it like 127.0.0.1:8080 or [::1]:0".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "not a share; give a number from 0 (none) to 1 (every call), such as 0.01".to_owned())
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&number| (1..=65_536).contains(&number))
        .ok_or_else(|| "give a whole number from 1 to 65536".to_owned())
}

fn coupon(text: &str) -> Result<CouponSeed, String> {
    let read = || {
        let (id, stock) = text.split_once(':')?;
        let id = CouponId::try_from(id.parse::<i64>().ok()?).ok()?;
        Some(CouponSeed { id, stock: stock.parse().ok()? })
    };
    read().ok_or_else(|| "write the coupon's number, a colon and its stock, such as 3:100000".to_owned())
}
