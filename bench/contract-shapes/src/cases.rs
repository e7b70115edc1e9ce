//! What is measured: a list of shapes and of changes to one.

/// How the host is set up. [`HOST`] is what the design plans.
#[derive(Clone, Copy)]
pub(crate) struct Host {
    /// Instances and stacks come from a pool.
    pub(crate) pooling: bool,
    /// `Config::concurrency_support`; true needs this package's feature `concurrency`.
    pub(crate) concurrency: bool,
    /// `Config::epoch_interruption`, with a tick every 10 ms.
    pub(crate) epochs: bool,
    /// `send` is an `async` host function and `run` is called on a fiber.
    pub(crate) fiber: bool,
    /// `send` suspends once, as with a network.
    pub(crate) suspends: bool,
    /// Answers are held in a plain list of slots, not in wasmtime's `ResourceTable`.
    pub(crate) own_slots: bool,
    /// Bytes of an answer's body.
    pub(crate) body_bytes: usize,
}

/// The set-up that the design plans: pooling, fibers, epochs, no concurrency support. 100-byte answers.
pub(crate) const HOST: Host = Host {
    pooling: true,
    concurrency: false,
    epochs: true,
    fiber: true,
    suspends: false,
    own_slots: false,
    body_bytes: 100,
};

/// How an iteration is called.
#[derive(Clone, Copy)]
pub(crate) enum Call {
    /// `run(u32) -> result<_, string>`, as in the contract.
    Index,
    /// `run(u32)`.
    Nothing,
    /// `run(string) -> result<_, string>`.
    Name,
}

/// One line of the table.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) label: &'static str,
    /// The scenario function's name in the guest.
    pub(crate) function: &'static str,
    pub(crate) call: Call,
    pub(crate) host: Host,
    /// Requests that one iteration sends.
    pub(crate) requests: u64,
    /// Check results that one iteration records.
    pub(crate) checks: u64,
}

const fn case(label: &'static str, function: &'static str) -> Case {
    Case { label, function, call: Call::Index, host: HOST, requests: 1, checks: 0 }
}

/// The label of the case that all others are compared with.
pub(crate) const BASE: &str = "**A: records**";

const LARGE: Host = Host { body_bytes: 10_240, ..HOST };

pub(crate) const CASES: &[Case] = &[
    Case { requests: 0, ..case("floor: empty `run`", "empty") },
    Case { requests: 0, ..case("floor: `run` that writes the JSON body", "body-only") },
    case(BASE, "records"),
    case("**B: resources with many methods**", "methods"),
    case("A2: plain record with the body, 100 B", "plain"),
    Case { host: LARGE, ..case("A2: plain record with the body, 10 KB", "plain") },
    case("A + `response.body()`, 100 B", "records-body"),
    Case { host: LARGE, ..case("A + `response.body()`, 10 KB", "records-body") },
    Case { host: LARGE, ..case("A, body of 10 KB not asked for", "records") },
    case("A3: a number instead of the response resource", "numbered"),
    case("C: request prepared once, then only the body crosses", "prepared"),
    case("A, no header", "records-no-header"),
    case("A, guest owns its strings (wit-bindgen's default)", "records-owned"),
    Case { checks: 1, ..case("A + check by handle", "records-checked") },
    Case { checks: 1, ..case("A + check by name", "records-checked-by-name") },
    case("A + `params` kept between iterations", "records-params-kept"),
    case("A + `params` made each time (3 setters, drop)", "records-params-each"),
    case("A + `params` found in a map of the guest's", "records-params-found"),
    case("A4: name and tags in the request's record", "tagged"),
    case("A4, neither given", "tagged-not"),
    case("A5: one tags handle in the request's record", "interned"),
    Case { call: Call::Nothing, ..case("A, `run` returns nothing", "records") },
    Case { call: Call::Name, ..case("A, `run(string)`", "records") },
    Case { host: Host { own_slots: true, ..HOST }, ..case("A, own slots instead of `ResourceTable`", "records") },
    Case { host: Host { suspends: true, ..HOST }, ..case("A, `send` suspends once", "records") },
    Case { host: Host { fiber: false, ..HOST }, ..case("A, all synchronous: no fiber", "records") },
    Case { host: Host { fiber: false, ..HOST }, requests: 0, ..case("floor: empty `run`, synchronous", "empty") },
    #[cfg(feature = "concurrency")]
    Case { host: Host { concurrency: true, ..HOST }, ..case("A, `concurrency_support(true)`", "records") },
    #[cfg(feature = "concurrency")]
    Case {
        host: Host { concurrency: true, ..HOST },
        requests: 0,
        ..case("floor: empty `run`, `concurrency_support(true)`", "empty")
    },
    Case { host: Host { epochs: false, ..HOST }, ..case("A, no epoch interruption", "records") },
    Case { host: Host { pooling: false, ..HOST }, ..case("A, on-demand allocation", "records") },
];
