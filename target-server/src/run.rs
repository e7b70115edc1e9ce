//! One run of the server, from what was typed to its end.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::app::{State, app};
use crate::cli::Args;
use crate::echo::Sockets;
use crate::embedded::{Embedded, OpenError, Opened};
use crate::grpc;
use crate::knobs::{Shape, ShapeError};
use crate::metrics::Metrics;
use crate::seed::{Seed, SeedError, SeedFields};
use crate::serve::{self, Stopped};

/// Why the server did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A seed flag has a value out of range.
    #[error("--{flag}: {problem}")]
    Seed {
        /// The flag, without dashes.
        flag: String,
        /// The value and the remedy.
        problem: String,
    },
    /// A knob has a value out of range.
    #[error("{0}")]
    Shape(#[from] ShapeError),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The address cannot be listened on.
    #[error("--{flag}: {address}: {source}; give another address, or port 0 for a free one")]
    Listen {
        /// The flag, without dashes.
        flag: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something that has no flag.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl RunError {
    /// 2 for a wrong value, 1 for everything that the machine refused.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Seed { .. } | Self::Shape(_) => ExitCode::from(2),
            Self::Open(_) | Self::Listen { .. } | Self::Io(_) => ExitCode::from(1),
        }
    }
}

/// Serves as `args` say until SIGINT or SIGTERM.
///
/// # Errors
/// [`RunError`], which names the flag, the value and the remedy.
pub fn run(args: &Args) -> Result<(), RunError> {
    let seed = seed(args)?;
    let shape = Shape::try_new(args.latency, args.error_rate, args.max_concurrency)?;
    raise_open_files();
    let mut runtime = match args.threads {
        // Without other threads to wake there is less work per request.
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if args.threads > 1 {
        runtime.worker_threads(args.threads);
    }
    runtime.enable_all().build()?.block_on(serve_until_signal(args, seed, shape))
}

async fn serve_until_signal(args: &Args, seed: Seed, shape: Shape) -> Result<(), RunError> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let metrics = Arc::new(Metrics::default());
    let folder = args.data.clone().unwrap_or_else(default_folder);
    let (store, opened) = Embedded::open(&folder, args.fresh, &seed, metrics.store.clone())?;
    if opened == Opened::Kept {
        note(&format!("kept the store in {}; --fresh or POST /reset seeds it anew", folder.display()));
    }
    let listener = listen("listen", args.listen)?;
    let mut addresses = format!("listening on http://{}\n", listener.local_addr()?);
    let grpc = args.grpc.map(|address| listen("grpc", address)).transpose()?;
    if let Some(grpc) = &grpc {
        addresses.push_str(&format!("gRPC on http://{}\n", grpc.local_addr()?));
    }
    // At once: whoever wants the first line only may be gone before a second write.
    let mut stdout = io::stdout();
    stdout.write_all(addresses.as_bytes())?;
    stdout.flush()?;
    let store = Arc::new(store);
    let sockets = Sockets::default();
    let state = Arc::new(State {
        coupons: Arc::<Embedded>::clone(&store),
        points: Arc::<Embedded>::clone(&store),
        payments: Arc::<Embedded>::clone(&store),
        auditor: Arc::<Embedded>::clone(&store),
        seeder: store,
        seed,
        metrics,
        shape: Arc::new(shape),
        sockets: sockets.clone(),
    });
    let stopping = sockets.clone();
    let shutdown = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stopping.stop();
    };
    let grpc = grpc.map(|listener| {
        let stopped = sockets.stopped();
        tokio::spawn(grpc::serve(listener, Arc::clone(&state), stopped))
    });
    match serve::serve(listener, app(state), shutdown, args.grace).await? {
        Stopped::Gracefully => {}
        Stopped::CutOff => note("some calls were not answered within --grace"),
    }
    if let Some(grpc) = grpc {
        match tokio::time::timeout(args.grace, grpc).await {
            Ok(served) => served.map_err(io::Error::other)??,
            Err(_) => note("some gRPC calls were not over within --grace"),
        }
    }
    if tokio::time::timeout(args.grace, sockets.all_closed()).await.is_err() {
        note("some WebSockets were not closed by their clients within --grace");
    }
    Ok(())
}

fn listen(flag: &'static str, address: std::net::SocketAddr) -> Result<tokio::net::TcpListener, RunError> {
    serve::bind(address).map_err(|source| RunError::Listen { flag, address, source })
}

fn seed(args: &Args) -> Result<Seed, RunError> {
    let fields = SeedFields {
        coupons: (!args.coupon.is_empty()).then(|| args.coupon.clone()),
        buyers: args.buyers,
        balance: args.balance,
        orders: args.orders,
        order_price: args.order_price,
    };
    Seed::default().with(fields).map_err(|SeedError { field, problem }| {
        let flag = match field {
            "coupons" | "coupons.stock" => "coupon",
            "orderPrice" => "order-price",
            other => other,
        };
        RunError::Seed { flag: flag.to_owned(), problem }
    })
}

/// Where the store is when `--data` is not given.
fn default_folder() -> PathBuf {
    std::env::temp_dir().join("target-server-data")
}

/// Ten thousand connections need as many open files; the usual limit of 1,024 may be raised without privilege.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, the limit stays as it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
