//! The scenario functions, one for each shape and each addition to shape A.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::bindings::flashcrowd::shapes::records::{Method, Params, Reply, Request};
use crate::bindings::flashcrowd::shapes::{checks, methods, others, prepared, records};
use crate::owned::flashcrowd::shapes::records as owned;

const URL: &str = "http://127.0.0.1:8080/api/v1/coupons/issue";
const HEADER: (&str, &[u8]) = ("content-type", b"application/json");
const CHECK: &str = "status is 200";

type Outcome = Result<(), String>;
type Function = (&'static str, fn() -> Outcome);

/// Name and code of every function. The host finds a function's index by its name.
pub(crate) static FUNCTIONS: &[Function] = &[
    ("empty", || Ok(())),
    ("body-only", body_only),
    ("records", || verdict(send(None).status)),
    ("records-owned", records_owned),
    ("records-no-header", records_no_header),
    ("records-checked", records_checked),
    ("records-checked-by-name", records_checked_by_name),
    ("records-params-kept", records_params_kept),
    ("records-params-each", records_params_each),
    ("records-params-found", records_params_found),
    ("records-body", records_body),
    ("plain", plain_reply),
    ("numbered", numbered_reply),
    ("tagged", || tagged_request(Some("issue"), 1)),
    ("tagged-not", || tagged_request(None, 0)),
    ("interned", interned_request),
    ("methods", many_methods),
    ("prepared", prepared_request),
];

/// A 30-byte body that differs from one iteration to the next.
fn body() -> Vec<u8> {
    static USER: AtomicU32 = AtomicU32::new(0);
    let user = 100_000 + USER.fetch_add(1, Relaxed) % 900_000;
    format!("{{\"userId\":{user},\"couponId\":3}}").into_bytes()
}

fn verdict(status: u16) -> Outcome {
    if status == 200 { Ok(()) } else { Err(format!("status {status}")) }
}

fn send(params: Option<&Params>) -> Reply {
    let body = body();
    records::send(Request { method: Method::Post, url: URL, headers: &[HEADER], body: Some(&body) }, params)
}

fn body_only() -> Outcome {
    std::hint::black_box(body());
    Ok(())
}

fn records_owned() -> Outcome {
    let request = owned::Request {
        method: owned::Method::Post,
        url: URL.to_owned(),
        headers: vec![(HEADER.0.to_owned(), HEADER.1.to_vec())],
        body: Some(body()),
    };
    verdict(owned::send(&request, None).status)
}

fn records_no_header() -> Outcome {
    let body = body();
    verdict(records::send(Request { method: Method::Post, url: URL, headers: &[], body: Some(&body) }, None).status)
}

fn records_checked() -> Outcome {
    /// The check's handle and one; 0 before it is known.
    static HANDLE: AtomicU32 = AtomicU32::new(0);
    let status = send(None).status;
    let handle = match HANDLE.load(Relaxed) {
        0 => {
            let handle = checks::intern(CHECK);
            HANDLE.store(handle + 1, Relaxed);
            handle
        }
        known => known - 1,
    };
    checks::add(handle, status == 200, 0);
    verdict(status)
}

fn records_checked_by_name() -> Outcome {
    let status = send(None).status;
    checks::add_named(CHECK, status == 200, 0);
    verdict(status)
}

fn named_params() -> Params {
    let params = Params::new();
    params.set_timeout(5_000_000_000);
    params.set_name("issue");
    params.set_tags(1);
    params
}

fn records_params_kept() -> Outcome {
    thread_local! {
        static PARAMS: OnceCell<Params> = const { OnceCell::new() };
    }
    PARAMS.with(|params| verdict(send(Some(params.get_or_init(named_params))).status))
}

fn records_params_each() -> Outcome {
    verdict(send(Some(&named_params())).status)
}

/// Settings of one request, as a library would hold them until it sends.
#[derive(PartialEq, Eq, Hash)]
struct Settings {
    timeout_ns: u64,
    name: Cow<'static, str>,
    tags: u32,
}

/// What a library can do so that the one who writes a scenario never sees `params`: keep one for each distinct set of settings.
fn records_params_found() -> Outcome {
    thread_local! {
        static KNOWN: RefCell<HashMap<Settings, Params>> = RefCell::new(HashMap::new());
    }
    let settings = Settings { timeout_ns: 5_000_000_000, name: Cow::Borrowed("issue"), tags: 1 };
    KNOWN.with_borrow_mut(|known| verdict(send(Some(known.entry(settings).or_insert_with(named_params))).status))
}

fn records_body() -> Outcome {
    let reply = send(None);
    std::hint::black_box(reply.response.body());
    verdict(reply.status)
}

fn plain_reply() -> Outcome {
    let body = body();
    let request = Request { method: Method::Post, url: URL, headers: &[HEADER], body: Some(&body) };
    verdict(std::hint::black_box(others::send(request, None)).status)
}

fn numbered_reply() -> Outcome {
    let body = body();
    let request = Request { method: Method::Post, url: URL, headers: &[HEADER], body: Some(&body) };
    verdict(std::hint::black_box(others::send_numbered(request, None)).status)
}

fn tagged_request(name: Option<&str>, tags: u32) -> Outcome {
    let body = body();
    let (method, headers) = (Method::Post, &[HEADER]);
    let request = others::Tagged { method, url: URL, headers, body: Some(&body), name, tags };
    verdict(others::send_tagged(request, None).status)
}

fn interned_request() -> Outcome {
    let body = body();
    let (method, headers) = (Method::Post, &[HEADER]);
    let request = others::Interned { method, url: URL, headers, body: Some(&body), tags: 1 };
    verdict(others::send_interned(request, None).status)
}

fn many_methods() -> Outcome {
    let request = methods::Request::new(Method::Post, URL);
    request.header(HEADER.0, HEADER.1);
    request.body(&body());
    verdict(request.send().status())
}

fn prepared_request() -> Outcome {
    thread_local! {
        static PREPARED: OnceCell<prepared::Prepared> = const { OnceCell::new() };
    }
    PREPARED.with(|prepared| {
        let prepared = prepared.get_or_init(|| {
            prepared::Prepared::new(Request { method: Method::Post, url: URL, headers: &[HEADER], body: None })
        });
        verdict(prepared.send(Some(&body())).status)
    })
}
