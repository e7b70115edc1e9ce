//! The first five minutes: everything is built, a server is started, a scenario attacks it, and the server is audited.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::guests;
use xtask::shell::{Failure, cargo, command, run, say, target_dir};

/// The scenario's six minutes become about twenty seconds; its rates stay.
const SCALE_TIME: &str = "0.055";

fn scenario(runtime: &Path, module: &Path, url: &str) -> Command {
    let mut command = command(runtime);
    command.arg("run").arg(module).args(["--scale-time", SCALE_TIME, "-e"]);
    command.arg(format!("BASE_URL={url}/api/v1/coupons/issue"));
    command
}

fn attack() -> Result<(), Failure> {
    let release = target_dir().join("release");
    let module = target_dir().join(guests::TARGET).join("release/coupon.wasm");
    let server = Server::start(&release.join("target-server"))?;
    say(&format_args!("\nThe target server listens on {}. 100,000 coupons are open; the crowd comes.\n", server.url));
    let outcome = run(&mut scenario(&release.join("runtime"), &module, &server.url));
    let (status, audit) = server.get("/audit")?;
    say(&format_args!("\nThe server's own audit (GET /audit, {status}):\n{}", readable(&audit)));
    drop(server);
    outcome?;
    if status != 200 {
        return Err("the audit found something broken".into());
    }
    say(&"\nNext: README.md has a scenario of your own in five minutes.");
    Ok(())
}

/// The audit's answer as a person reads it; as it came, if it is of another shape.
fn readable(audit: &str) -> String {
    let Ok(audit) = serde_json::from_str::<Value>(audit) else { return audit.to_owned() };
    let each = |list: &Value, line: &dyn Fn(&Value) -> String| -> Vec<String> {
        list.as_array().into_iter().flatten().map(line).collect()
    };
    let mut lines = each(&audit["checks"], &|check| {
        let mark = if check["ok"] == true { "ok    " } else { "BROKEN" };
        format!("  {mark}  {}", check["invariant"].as_str().unwrap_or_default())
    });
    lines.extend(each(&audit["coupons"], &|coupon| {
        format!("  coupon {}: {} of {} issued", coupon["id"], coupon["issued"], coupon["stock"])
    }));
    lines.join("\n")
}

/// Builds what the demo needs and runs it.
pub(crate) fn demo() -> Result<(), Failure> {
    run(&mut cargo(&["build", "--release", "--package", "flashcrowd-runtime", "--package", "target-server"]))?;
    guests::build_scenarios()?;
    attack()
}

/// The target server as a child process on a free port, with its data in a folder of its own. It ends with this value.
struct Server {
    child: Child,
    url: String,
    data: std::path::PathBuf,
}

impl Server {
    fn start(program: &Path) -> Result<Self, Failure> {
        let data = std::env::temp_dir().join(format!("flashcrowd-demo-{}", std::process::id()));
        let mut child = command(program)
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            return Err(format!("the target server did not start: it printed {line:?}").into());
        };
        Ok(Self { child, url: url.to_owned(), data })
    }

    /// A request over a connection of its own: status and body.
    fn get(&self, path: &str) -> Result<(u16, String), Failure> {
        let authority = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(authority)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(stream, "GET {path} HTTP/1.0\r\nhost: {authority}\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer has no end of head")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("the answer has no status")?;
        Ok((status, body.to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The data is thrown away with it: there is nothing to shut down gracefully.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}
