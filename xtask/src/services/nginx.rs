//! nginx, of the system's package: one process that listens on a port for each way of serving.

use std::path::Path;
use std::process::Command;

use super::{Facts, Plan, Service, answers, free_ports, needed};
use crate::certificates::Authority;
use crate::shell::Failure;

const CONFIGURATION: &str = include_str!("nginx.conf");
const LOCATIONS: &str = include_str!("locations.conf");

/// The service.
pub(super) struct Nginx;

/// The ports' names in the configuration and among the facts, and their URLs' schemes.
const PORTS: [(&str, &str); 10] = [
    ("http", "http"),
    ("other", "http"),
    ("https", "https"),
    ("tls12", "https"),
    ("tls13", "https"),
    ("mutual", "https"),
    ("h2c", "http"),
    ("h2-few", "https"),
    ("https-other", "https"),
    ("proxy", "http"),
];

/// What `/private/` asks for.
const USER: (&str, &str) = ("ann", "s3cret");

impl Service for Nginx {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn install(&self) -> Result<(), Failure> {
        needed("nginx", "nginx").map(drop)
    }

    fn plan(&self, folder: &Path) -> Result<Plan, Failure> {
        let ports: [u16; PORTS.len()] = free_ports()?;
        // Started by root, its worker would be somebody else, who may not read this folder.
        let user = if rustix::process::geteuid().is_root() { "user root root;" } else { "" };
        let mut words =
            vec![("@folder@".to_owned(), folder.display().to_string()), ("@user@".to_owned(), user.to_owned())];
        let mut facts = Facts::new();
        for ((name, scheme), port) in PORTS.iter().zip(ports) {
            words.push((format!("@{name}@"), port.to_string()));
            facts.insert((*name).to_owned(), format!("{scheme}://127.0.0.1:{port}"));
        }
        let filled = |text: &str| words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value));
        let file = folder.join("nginx.conf");
        std::fs::write(&file, filled(CONFIGURATION))?;
        std::fs::write(folder.join("locations.conf"), filled(LOCATIONS))?;
        std::fs::write(folder.join("users"), format!("{}:{{PLAIN}}{}\n", USER.0, USER.1))?;
        write_files(&folder.join("files"))?;
        for (name, path) in write_certificates(folder)? {
            facts.insert(name.to_owned(), path);
        }
        facts.insert("access-log".to_owned(), folder.join("access.log").display().to_string());
        let mut command = Command::new(needed("nginx", "nginx")?);
        command.args(["-e", "stderr", "-p"]).arg(folder).arg("-c").arg(&file);
        let port = ports[0];
        Ok(Plan { command, facts, ready: Box::new(move || answers(port, "/echo")) })
    }
}

/// Static files: a short text, a long page that compresses well, and a megabyte that does not.
fn write_files(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("short.txt"), "a short text\n")?;
    let page: String =
        (0..500).map(|line| format!("<p>Line {line} of a page that is long, 쿠폰 included.</p>\n")).collect();
    std::fs::write(folder.join("page.html"), page)?;
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(1 << 20)
    .collect();
    std::fs::write(folder.join("noise.bin"), noise)?;
    Ok(())
}

/// An authority, a server's certificate and a client's; gives the files by name.
fn write_certificates(folder: &Path) -> Result<Vec<(&'static str, String)>, Failure> {
    let authority = Authority::new("Flashcrowd test authority")?;
    std::fs::write(folder.join("authority.pem"), authority.certificate().pem())?;
    authority.server(&["127.0.0.1", "localhost", "shop.test", "*.shop.test"], |_| {})?.write(folder, "server")?;
    authority.client("ann")?.write(folder, "client")?;
    let files = [("authority", "authority.pem"), ("client-cert", "client.pem"), ("client-key", "client.key")];
    Ok(files.map(|(name, file)| (name, folder.join(file).display().to_string())).to_vec())
}
