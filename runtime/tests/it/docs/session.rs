//! A person who types what a guide says, and looks whether what it shows comes out.
//!
//! Every shipped scenario lies in the person's folder as `NAME.wasm`. `127.0.0.1:8080` is the target server, wherever it really is.

use std::path::Path;
use std::process::Stdio;

use super::markdown::Block;
use super::{repository, shipped_scenarios};
use crate::support::{Folder, Server, runtime, scenario};

/// Where the guides have their target server.
const SERVER: &str = "127.0.0.1:8080";

/// How often a run is tried until it comes out as its page shows it.
const TRIES: usize = 5;

pub(super) struct Session {
    pub(super) folder: Folder,
    server: Option<Server>,
    /// The exit code of the last program.
    code: i32,
}

impl Session {
    /// A folder with the shipped scenarios, and no server yet.
    pub(super) fn new() -> Self {
        let folder = Folder::new();
        for name in shipped_scenarios() {
            let (module, link) = (scenario(&name), folder.file(&format!("{name}.wasm")));
            std::os::unix::fs::symlink(module, link).expect("a link in a new folder");
        }
        Self { folder, server: None, code: 0 }
    }

    pub(super) fn with_server() -> Self {
        Self { server: Some(Server::start(&[])), ..Self::new() }
    }

    /// Types the commands of a `console` block, one after the other.
    #[track_caller]
    pub(super) fn play(&mut self, page: &str, block: &Block) {
        let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
        for line in block.text.lines() {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command, Vec::new())),
                (None, Some((_, shown))) => shown.push(line),
                (None, None) => panic!("{page}:{}: begins with output; a command begins with `$ `", block.line),
            }
        }
        for (command, shown) in commands {
            let mut output = self.type_in(command);
            // A page shows a machine that has time: one that is busy with others may miss a limit on times, and is asked again.
            for _ in 1..TRIES {
                if !command.starts_with("runtime run ") || first_missing(&shown, &output).is_none() {
                    break;
                }
                output = self.type_in(command);
            }
            let place = format!("{page}:{}: `{command}`", block.line);
            if command == "echo $?" {
                assert_eq!(shown, [output.as_str()], "{place}");
            } else if let Some(missing) = first_missing(&shown, &output) {
                panic!(
                    "{place} does not print `{missing}` where the page shows it, but (exit code {}):\n{output}",
                    self.code
                );
            }
        }
    }

    /// Runs one command; gives all that it printed, what goes to standard error first.
    #[track_caller]
    fn type_in(&mut self, command: &str) -> String {
        let words = words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // Variables for this command alone stand before it.
        let variables = words.iter().take_while(|word| word.contains('=')).count();
        let (variables, words) = words.split_at(variables);
        match *words {
            ["echo", "$?"] => self.code.to_string(),
            ["rustup", "target", "add", target] => {
                let toolchain =
                    std::fs::read_to_string(repository().join("rust-toolchain.toml")).expect("rust-toolchain.toml");
                assert!(toolchain.contains(target), "{target} is not what {toolchain} asks for");
                String::new()
            }
            ["cargo", "install", "--path", path] => {
                let manifest = std::fs::read_to_string(repository().join(path).join("Cargo.toml")).expect("a crate");
                assert!(manifest.contains("[[bin]]\nname = \"runtime\""), "{path} installs no `runtime`");
                String::new()
            }
            ["cargo", "run", "--release", "-p", "target-server", "--", "--listen", SERVER, ref rest @ ..] => {
                let server = Server::start(rest);
                let printed = format!("listening on {}", server.url);
                self.server = Some(server);
                self.local(&printed)
            }
            ["curl", "-s", url] => {
                let path =
                    url.strip_prefix("http://").and_then(|url| url.strip_prefix(SERVER)).expect("our server's URL");
                self.server().get(path).1
            }
            ["runtime", ref arguments @ ..] => self.run(arguments, variables),
            _ => panic!("`{command}`: no test can run this; teach runtime/tests/it/docs/session.rs, or leave it out"),
        }
    }

    fn run(&mut self, arguments: &[&str], variables: &[&str]) -> String {
        let mut command = runtime();
        command.envs(variables.iter().filter_map(|variable| variable.split_once('=')));
        command.args(arguments.iter().map(|argument| self.real(argument)));
        command.env("XDG_STATE_HOME", self.folder.file("state"));
        command.current_dir(self.folder.path()).env_remove("CARGO_TARGET_DIR").stderr(Stdio::piped());
        // No time limit of our own: compiling takes as long as it takes.
        let output = command.output().expect("the runtime starts");
        self.code = output.status.code().unwrap_or(-1);
        if let ["new", name] = arguments {
            reuse_what_is_built(&self.folder.file(name));
        }
        self.local(&format!("{}\n{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout)))
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("the guide has started the target server")
    }

    fn real(&self, text: &str) -> String {
        if text.contains(SERVER) { text.replace(SERVER, self.server().authority()) } else { text.to_owned() }
    }

    fn local(&self, text: &str) -> String {
        self.server.as_ref().map_or_else(|| text.to_owned(), |server| text.replace(server.authority(), SERVER))
    }
}

/// A new crate has the workspace's versions of everything, compiled once for all runs of this test.
fn reuse_what_is_built(made: &Path) {
    std::fs::copy(repository().join("Cargo.lock"), made.join("Cargo.lock")).expect("a lock file");
    let profile = Path::new(env!("CARGO_BIN_EXE_runtime")).parent().expect("a binary has a folder");
    let target = profile.with_file_name("guides");
    std::fs::create_dir_all(&target).expect("a folder for what is built");
    std::os::unix::fs::symlink(target, made.join("target")).expect("a link in a new folder");
}

/// The words of a command line, quotes taken off.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => quote = Some(c),
            (' ', None) => words.push(String::new()),
            (c, _) => {
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The first shown line that the output lacks, looking from where the one before it was found.
fn first_missing<'a>(shown: &[&'a str], output: &str) -> Option<&'a str> {
    let mut lines = output.lines().map(comparable);
    shown.iter().copied().filter(|shown| !shown.trim().is_empty()).find(|shown| {
        let wanted = comparable(shown);
        !lines.any(|line| line.contains(&wanted))
    })
}

/// A line without what differs from run to run: numbers with their units become `#`, spaces and dots one.
/// What stands in a pair of single quotes, a threshold's expression, stays as it is.
fn comparable(line: &str) -> String {
    let quotes = line.matches('\'').count() == 2;
    let mut out = String::new();
    let mut quoted = false;
    let mut chars = line.trim().chars().peekable();
    while let Some(c) = chars.next() {
        let last = out.chars().next_back();
        match c {
            '\'' => {
                quoted = quotes && !quoted;
                out.push(c);
            }
            _ if quoted => out.push(c),
            '0'..='9' if !last.is_some_and(|last| last.is_alphanumeric() || last == '_') => {
                while chars.next_if(|c| c.is_ascii_digit() || matches!(c, '.' | 'µ' | 'n' | 'm' | 's' | 'h')).is_some()
                {
                }
                out.push('#');
            }
            ' ' | '.' if last == Some(c) => {}
            _ => out.push(c),
        }
    }
    out
}

#[test]
fn numbers_do_not_matter_and_words_do() {
    let line = "    http_req_duration..................: avg=1.14ms min=369.18µs p(90)=2s  10 out of 12";
    assert_eq!(comparable(line), "http_req_duration.: avg=# min=# p(#)=# # out of #");
    assert_eq!(comparable("✓ 'p(95)<500' p(95)=852ms"), "✓ 'p(95)<500' p(#)=#");
    let output = "a 1\nb 2\nc 3";
    assert_eq!(first_missing(&["a 7", "", "c 9"], output), None);
    assert_eq!(first_missing(&["c 7", "a 9"], output), Some("a 9"));
    assert_eq!(words("runtime run x --tag 'a b' \"c\""), ["runtime", "run", "x", "--tag", "a b", "c"]);
}
