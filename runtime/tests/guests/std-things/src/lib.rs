//! What ordinary crates use works in a scenario: printing, clocks, randomness, the environment, hash maps. What a module
//! must not have does not: files, other variables.

use std::collections::HashMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use flashcrowd::prelude::*;
use rand::RngExt;

#[flashcrowd::options]
fn options() -> Options {
    Options::new().env_var(EnvVar::with_default("GREETING", "hello"))
}

#[flashcrowd::scenario]
fn iterate() {
    println!("printed by println! ({})", env("GREETING"));
    eprintln!("printed by eprintln!");
    print!("two lines\nin one print\n");

    let start = Instant::now();
    std::thread::sleep(millis(20));
    let waited = start.elapsed();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let ids = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    let dice: u32 = rand::rng().random_range(1..=6);
    let map = HashMap::from([("a", 1), ("b", 2)]);
    check!((), "thread::sleep waits and Instant goes on" => |_| waited >= millis(20),
        "SystemTime is in this century" => |_| (1_700_000_000..4_100_000_000).contains(&now),
        "uuid makes different ids" => |_| ids[0] != ids[1] && ids[0].get_version_num() == 4,
        "rand works" => |_| (1..=6).contains(&dice),
        "hash maps work" => |_| map["b"] == 2,
        "std::env sees what was granted" => |_| std::env::var("GREETING").is_ok_and(|greeting| greeting == env("GREETING")),
        "std::env sees nothing else" => |_| std::env::var("PATH").is_err() && std::env::var("HOME").is_err(),
        "there are no files" => |_| std::fs::read_to_string("/etc/passwd").is_err() && std::fs::write("x", "y").is_err(),
        "there are no sockets" => |_| std::net::TcpStream::connect("127.0.0.1:80").is_err(),
        "there are no arguments" => |_| std::env::args().len() <= 1,
    );
}
