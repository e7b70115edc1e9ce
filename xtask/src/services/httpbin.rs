//! httpbin behind gunicorn, from PyPI, in a virtual environment under `target/services`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Facts, Plan, Service, answers, free_ports, home, needed};
use crate::shell::{Failure, run_quietly, say};

const PINNED: &str = include_str!("httpbin.txt");

/// The service.
pub(super) struct Httpbin;

/// Where Python and its packages are.
pub(super) fn environment() -> PathBuf {
    home().join("httpbin-environment")
}

impl Service for Httpbin {
    fn name(&self) -> &'static str {
        "httpbin"
    }

    fn install(&self) -> Result<(), Failure> {
        let environment = environment();
        let done = environment.join("pinned.txt");
        if std::fs::read_to_string(&done).is_ok_and(|text| text == PINNED) {
            return Ok(());
        }
        let python = needed("python3", "python3")?;
        say(&"installing httpbin");
        let _ = std::fs::remove_dir_all(&environment);
        let create = || run_quietly(Command::new(&python).args(["-m", "venv"]).arg(&environment));
        // Debian has `venv` in a package of its own.
        if create().is_err() {
            super::install::package("python3-venv")?;
            create()?;
        }
        let pinned = home().join("httpbin-pinned.txt");
        std::fs::write(&pinned, PINNED)?;
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--requirement"]);
        run_quietly(pip.arg(&pinned))?;
        std::fs::rename(&pinned, &done)?;
        Ok(())
    }

    fn plan(&self, folder: &Path) -> Result<Plan, Failure> {
        let [port] = free_ports()?;
        let mut command = Command::new(environment().join("bin/python"));
        // One process with threads: streams and delays do not wait for each other. A connection is kept for longer than a test takes.
        command.args(["-m", "gunicorn", "--worker-class", "gthread", "--threads", "16", "--keep-alive", "120"]);
        command
            .args(["--graceful-timeout", "1", "--no-control-socket", "--access-logfile"])
            .arg(folder.join("access.log"));
        command.args(["--access-logformat", "%(s)s %(m)s %(U)s %(q)s", "--worker-tmp-dir"]).arg(folder);
        command.arg("--bind").arg(format!("127.0.0.1:{port}")).arg("httpbin:app");
        let url = format!("http://127.0.0.1:{port}");
        let facts = Facts::from([
            ("url".to_owned(), url),
            ("access-log".to_owned(), folder.join("access.log").display().to_string()),
        ]);
        Ok(Plan { command, facts, ready: Box::new(move || answers(port, "/status/200")) })
    }
}
