//! Several requests at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::faulty::{Act, Faulty, GOOD, send};
use crate::probe::{Probe, case};
use crate::servers::{httpbin_url, nginx, nginx_saw, nginx_url};

/// The connections that nginx saw requests with this mark on, by its port.
fn connections(mark: &str) -> BTreeMap<u64, BTreeSet<u64>> {
    let mut by_port = BTreeMap::<_, BTreeSet<_>>::new();
    for line in nginx_saw(mark) {
        let number = |field: &str| line[field].as_u64().expect("a number");
        by_port.entry(number("port")).or_default().insert(number("connection"));
    }
    by_port
}

#[test]
fn they_keep_to_the_limits_of_the_options() {
    let limits: [(&str, &[&str], usize); 4] = [
        ("default", &[], 6),
        ("per-host", &["--batch-per-host", "2"], 2),
        ("in-all", &["--batch", "3", "--batch-per-host", "0"], 3),
        ("one", &["--batch", "1"], 1),
    ];
    for (name, args, most) in limits {
        let mark = format!("/echo?batch-{name}");
        let step = json!({"batch": vec![nginx_url("http", &mark); 12]});
        let expected = json!({"statuses": vec![200; 12], "error_codes": vec![0; 12]});
        // The second batch finds the connections of the first.
        let told = Probe::new([case("first", step.clone(), expected.clone()), case("second", step, expected)])
            .args(args)
            .holds();
        assert_eq!(told.run.metric("http_reqs", "count"), 24.0, "{name}");
        let seen: Vec<usize> = connections(&mark).values().map(BTreeSet::len).collect();
        assert_eq!(seen, [most], "{name}");
    }
}

#[test]
fn the_limit_of_a_host_is_that_of_each() {
    let mark = "/echo?batch-hosts";
    let urls: Vec<String> = ["http", "other"].repeat(12).into_iter().map(|port| nginx_url(port, mark)).collect();
    Probe::new([case("both", json!({"batch": urls}), json!({"statuses": vec![200; 24]}))])
        .args(&["--batch-per-host", "3"])
        .holds();
    let seen: Vec<usize> = connections(mark).values().map(BTreeSet::len).collect();
    assert_eq!(seen, [3, 3]);

    // Where each answer takes its time, the server counts as many connections as there may be requests at once.
    let server = Faulty::start([("/slow".to_owned(), vec![Act::Pause(Duration::from_millis(100)), send(GOOD)])]);
    Probe::new([case("slow", json!({"batch": vec![server.url("/slow"); 12]}), json!({"statuses": vec![200; 12]}))])
        .args(&["--batch-per-host", "4"])
        .holds();
    assert_eq!((server.connections(), server.requests("/slow").len()), (4, 12));
}

#[test]
fn over_http2_all_share_one_connection() {
    let mark = "/echo?batch-h2";
    let url = nginx_url("https", mark);
    let step = json!({"batch": vec![url.clone(); 40]});
    Probe::new([
        case("before", json!({"url": url}), json!({"status": 200, "protocol": "HTTP/2.0"})),
        case("batch", step, json!({"statuses": vec![200; 40], "protocols": vec!["HTTP/2.0"; 40]})),
    ])
    .trusting(nginx().fact("authority"))
    .args(&["--batch-per-host", "0"])
    .holds();
    let seen = connections(mark);
    assert_eq!(seen.values().map(BTreeSet::len).collect::<Vec<_>>(), [1]);
    assert_eq!(nginx_saw(mark).len(), 41);
}

#[test]
fn one_that_fails_stops_no_other() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("a bound socket has an address")
    };
    let server = Faulty::start([
        ("/reset".to_owned(), vec![Act::Reset]),
        ("/silence".to_owned(), vec![Act::Hang]),
        ("/cut".to_owned(), vec![send(&GOOD[..GOOD.len() - 1]), Act::Close]),
    ]);
    let table: [(String, u16, u16); 10] = [
        (nginx_url("http", "/short.txt"), 200, 0),
        (server.url("/reset"), 0, 1220),
        (server.url("/good"), 200, 0),
        (server.url("/silence"), 0, 1050),
        (server.url("/cut"), 200, 1220),
        (format!("http://{closed}/"), 0, 1212),
        ("http://elsewhere.test/".to_owned(), 0, 1111),
        ("http://[/".to_owned(), 0, 1020),
        (httpbin_url("/status/503"), 503, 1503),
        (httpbin_url("/redirect-to?url=/delay/0.2"), 200, 0),
    ];
    let column = |of: fn(&(String, u16, u16)) -> Value| table.iter().map(of).collect::<Vec<_>>();
    let (urls, statuses, codes) =
        (column(|(url, ..)| json!(url)), column(|row| json!(row.1)), column(|row| json!(row.2)));
    let good = json!({"status": 200, "error_code": 0, "text": "good"});
    let told = Probe::new([
        case("all", json!({"batch": urls, "timeout": 2.0}), json!({"statuses": statuses, "error_codes": codes})),
        case("then", json!({"url": server.url("/good")}), good),
    ])
    .holds();
    assert_eq!(told.of("all")["texts"][0], "a short text\n");
    assert_eq!(told.run.metric("http_reqs", "count"), 12.0, "the redirect is one more");
    assert_eq!(told.run.metric("http_req_failed", "passes"), 7.0);
    assert_eq!(server.requests("/reset").len(), 1, "a request that was sent is never repeated");
}
