//! What the integration tests share: the server in this process without a socket, and the real binary.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use target_server::embedded::{Embedded, STORE_FILE};
use target_server::knobs::Shape;
use target_server::metrics::Metrics;
use target_server::seed::{Seed, SeedFields};
use target_server::{Sockets, State, app};
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// One answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    /// `400 INVALID_FIELD userId`: an error in one line.
    pub(crate) fn error(&self) -> String {
        let error = &self.json()["error"];
        let field = error["field"].as_str().unwrap_or("-");
        format!("{} {} {field}", self.status.as_u16(), error["code"].as_str().unwrap_or("?"))
    }
}

/// The server in this process.
pub(crate) struct Local {
    pub(crate) router: Router,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) data: TempDir,
}

impl Local {
    pub(crate) fn new(fields: SeedFields) -> Result<Self> {
        Self::shaped(fields, Shape::default())
    }

    pub(crate) fn shaped(fields: SeedFields, shape: Shape) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let seed = Seed::default().with(fields)?;
        let metrics = Arc::new(Metrics::default());
        let (store, _) = Embedded::open(data.path(), false, &seed, metrics.store.clone())?;
        let store = Arc::new(store);
        let state = State {
            coupons: Arc::<Embedded>::clone(&store),
            points: Arc::<Embedded>::clone(&store),
            payments: Arc::<Embedded>::clone(&store),
            auditor: Arc::<Embedded>::clone(&store),
            seeder: store,
            seed,
            metrics: Arc::clone(&metrics),
            shape: Arc::new(shape),
            sockets: Sockets::default(),
        };
        Ok(Self { router: app(state), metrics, data })
    }

    pub(crate) async fn call(&self, request: Request<Body>) -> Result<Answer> {
        call(&self.router, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Request::get(path).body(Body::empty())?).await
    }

    pub(crate) async fn post(&self, path: &str) -> Result<Answer> {
        self.call(Request::post(path).body(Body::empty())?).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &str) -> Result<Answer> {
        self.call(post_json(path, body)?).await
    }

    /// The store's file, to be read or broken behind the server's back.
    pub(crate) fn store(&self) -> Result<rusqlite::Connection> {
        let connection = rusqlite::Connection::open(self.data.path().join(STORE_FILE))?;
        connection.pragma_update(None, "busy_timeout", 5_000)?;
        Ok(connection)
    }

    /// The value of a metric that has no labels.
    pub(crate) fn metric(&self, name: &str) -> Result<f64> {
        let text = self.metrics.text()?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.ok_or_else(|| format!("no {name} in\n{text}"))?.parse()?)
    }

    pub(crate) async fn assert_clean(&self) -> Result {
        let audit = self.get("/audit").await?;
        assert_eq!(audit.status, StatusCode::OK, "{}", audit.text);
        Ok(())
    }
}

pub(crate) fn post_json(path: &str, body: &str) -> Result<Request<Body>> {
    Ok(Request::post(path).header("content-type", "application/json").body(Body::from(body.to_owned()))?)
}

pub(crate) async fn call(router: &Router, request: Request<Body>) -> Result<Answer> {
    let (head, body) = router.clone().oneshot(request).await?.into_parts();
    let text = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
    Ok(Answer { status: head.status, headers: head.headers, text })
}

/// The real binary in a process of its own, killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn start(data: &Path, more: &[&str]) -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_target-server"))
            .arg("--data")
            .arg(data)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://").map(str::parse);
        match address {
            Some(Ok(address)) => Ok(Self { child, address }),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("the first line of stdout is {line:?}").into())
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) -> Result {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid())?).ok_or("no such process")?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    pub(crate) async fn client(&self) -> Result<Client> {
        Client::connect(self.address).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One keep-alive connection.
pub(crate) struct Client(SendRequest<Full<Bytes>>);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(Request::get(path).header("host", "t").body(Full::default())?).await
    }

    pub(crate) async fn post(&mut self, path: &str) -> Result<Answer> {
        self.send(Request::post(path).header("host", "t").body(Full::default())?).await
    }

    pub(crate) async fn post_json(&mut self, path: &str, body: String) -> Result<Answer> {
        let request = Request::post(path).header("host", "t").header("content-type", "application/json");
        self.send(request.body(Full::new(Bytes::from(body)))?).await
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        self.0.ready().await?;
        let (head, body) = self.0.send_request(request).await?.into_parts();
        let text = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
        Ok(Answer { status: head.status, headers: head.headers, text })
    }
}
