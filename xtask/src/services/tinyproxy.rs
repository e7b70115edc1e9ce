//! tinyproxy, of the system's package: an HTTP proxy that asks who calls, and connects to any port.

use std::path::Path;
use std::process::Command;

use super::{Facts, Plan, Service, free_ports, listens, needed};
use crate::shell::Failure;

/// The service.
pub(super) struct Tinyproxy;

/// Who may call.
const USER: (&str, &str) = ("ann", "s3cret");

impl Service for Tinyproxy {
    fn name(&self) -> &'static str {
        "tinyproxy"
    }

    fn install(&self) -> Result<(), Failure> {
        needed("tinyproxy", "tinyproxy").map(drop)
    }

    fn plan(&self, folder: &Path) -> Result<Plan, Failure> {
        let [port] = free_ports()?;
        let log = folder.join("access.log");
        let (user, password) = USER;
        // Every connection is logged at level `Connect`, with the host that is asked for.
        let configuration = format!(
            "Listen 127.0.0.1\nPort {port}\nAllow 127.0.0.1\nMaxClients 100\nTimeout 60\nBasicAuth {user} {password}\n\
             LogFile \"{}\"\nLogLevel Connect\nFilter \"{}\"\n",
            log.display(),
            folder.join("refused").display()
        );
        let file = folder.join("tinyproxy.conf");
        std::fs::write(&file, configuration)?;
        // The hosts that it refuses, as regular expressions.
        std::fs::write(folder.join("refused"), "^refused\\.test$\n")?;
        let mut command = Command::new(needed("tinyproxy", "tinyproxy")?);
        command.arg("-d").arg("-c").arg(&file);
        let facts = Facts::from([
            ("url".to_owned(), format!("http://127.0.0.1:{port}")),
            ("user".to_owned(), user.to_owned()),
            ("password".to_owned(), password.to_owned()),
            ("access-log".to_owned(), log.display().to_string()),
        ]);
        Ok(Plan { command, facts, ready: Box::new(move || listens(port)) })
    }
}
