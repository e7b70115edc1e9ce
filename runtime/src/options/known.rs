//! Every option that k6 knows: how it is named in a file, in the environment and as a flag, what it may hold, and whether this
//! version does anything with it. `docs/options.md` and the reading of all layers come from this table.

use serde_json::Value;

use super::{parse_thresholds, read, scenario};
use crate::field_error::FieldError;
use crate::http::tls::{CipherSuites, Identity, TlsVersions};
use crate::http::{AddressBlocks, DnsOptions, HostPatterns, Hosts, LocalAddresses};

/// What an option holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A whole number from 1.
    Positive,
    /// A whole number from 0.
    Count,
    /// `true` or `false`.
    Bool,
    /// A duration, zero included.
    Duration,
    /// A duration longer than zero.
    PositiveDuration,
    /// Any text.
    Text,
    /// Text that an HTTP header can hold.
    Header,
    /// Statistics of a trend.
    TrendStats,
    /// `s`, `ms` or `us`.
    TimeUnit,
    /// Names of system tags.
    SystemTags,
    /// `headers`, `full` or nothing.
    HttpDebug,
    /// Names with texts.
    Pairs,
    /// `[{duration, target}]`.
    Stages,
    /// `{name: {executor, …}}`.
    Scenarios,
    /// `{metric: [expression, …]}`.
    Thresholds,
    /// `auto`, `1.1` or `2`.
    HttpVersion,
    /// `ttl=…,select=…,policy=…`, or an object.
    Dns,
    /// `{name: address}`.
    Hosts,
    /// Names of hosts, `*.` in front allowed.
    HostNames,
    /// Networks and addresses.
    Networks,
    /// Addresses, ranges and networks with commas.
    LocalIps,
    /// A version of TLS, or `{min, max}`.
    TlsVersion,
    /// Names of cipher suites.
    CipherSuites,
    /// `[{domains, cert, key}]`.
    TlsAuth,
    /// Something that this version does not read.
    Other,
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct KnownOption {
    /// k6's name.
    pub name: &'static str,
    /// The variable's name after `FLASHCROWD_` or `K6_`.
    pub env: &'static str,
    /// The flag or flags.
    pub flag: Option<&'static str>,
    /// What it may hold.
    pub shape: Shape,
    /// The default, as documentation has it.
    pub default: &'static str,
    /// What it does, with its unit.
    pub help: &'static str,
    support: Support,
}

#[derive(Debug, Clone, Copy)]
enum Support {
    Yes,
    /// k6 has it and this version does not: only these values, which mean what happens anyway, are taken.
    Only {
        accepted: &'static [&'static str],
        remedy: &'static str,
    },
}

impl KnownOption {
    /// Whether this version does what the option says.
    pub const fn is_supported(&self) -> bool {
        matches!(self.support, Support::Yes)
    }

    /// The values that are taken of an option which this version does not support, as JSON.
    pub const fn accepted(&self) -> &'static [&'static str] {
        match self.support {
            Support::Yes => &[],
            Support::Only { accepted, .. } => accepted,
        }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// A wrong one, or one that is not supported by this version. The path begins with the option's name.
    pub fn check(&self, value: &Value) -> Result<(), FieldError> {
        if let Support::Only { accepted, remedy } = self.support {
            return if accepted.iter().any(|text| means_the_same(value, text)) {
                Ok(())
            } else {
                Err(FieldError::json(self.name, value, format!("is not supported by this version; {remedy}")))
            };
        }
        match self.shape {
            Shape::Positive => read::positive(value).map(drop),
            Shape::Count => read::count(value).map(drop),
            Shape::Bool => read::boolean(value).map(drop),
            Shape::Duration => read::duration(value).map(drop),
            Shape::PositiveDuration => read::positive_duration(value).map(drop),
            Shape::Text => read::text(value).map(drop),
            Shape::Header => read::header_text(value).map(drop),
            Shape::TrendStats => read::trend_stats(value).map(drop),
            Shape::TimeUnit => read::time_unit(value).map(drop),
            Shape::SystemTags => read::system_tags(value).map(drop),
            Shape::HttpDebug => read::http_debug(value).map(drop),
            Shape::Pairs => read::pairs(value).map(drop),
            Shape::Stages => scenario::check_stages(value),
            Shape::Scenarios => scenario::parse_all(value).map(drop),
            Shape::Thresholds => parse_thresholds(value).map(drop),
            Shape::HttpVersion => read::http_version(value).map(drop),
            Shape::Dns => DnsOptions::from_json(value).map(drop),
            Shape::Hosts => Hosts::from_json(value).map(drop),
            Shape::HostNames => HostPatterns::from_json(value).map(drop),
            Shape::Networks => AddressBlocks::from_json(value).map(drop),
            Shape::LocalIps => LocalAddresses::from_json(value).map(drop),
            Shape::TlsVersion => TlsVersions::from_json(value).map(drop),
            Shape::CipherSuites => CipherSuites::from_json(value).map(drop),
            Shape::TlsAuth => Identity::list_from_json(value).map(drop),
            Shape::Other => Ok(()),
        }
        // Scenarios say their whole path themselves, as their errors come up again when the plan is made.
        .map_err(|error| if error.path.starts_with("scenarios") { error } else { error.within(self.name) })
    }
}

/// An object means the same as the accepted one when nothing in it differs.
fn means_the_same(value: &Value, accepted: &str) -> bool {
    let Ok(accepted) = serde_json::from_str::<Value>(accepted) else { return false };
    match (value, &accepted) {
        (Value::Object(fields), Value::Object(accepted)) => {
            fields.iter().all(|(name, field)| field.is_null() || accepted.get(name) == Some(field))
        }
        _ => *value == accepted,
    }
}

/// The option of this name.
pub fn find(name: &str) -> Option<&'static KnownOption> {
    OPTIONS.iter().find(|option| option.name == name)
}

const fn yes(
    name: &'static str,
    env: &'static str,
    flag: Option<&'static str>,
    shape: Shape,
    default: &'static str,
    help: &'static str,
) -> KnownOption {
    KnownOption { name, env, flag, shape, default, help, support: Support::Yes }
}

const fn not_yet(
    name: &'static str,
    env: &'static str,
    accepted: &'static [&'static str],
    help: &'static str,
    remedy: &'static str,
) -> KnownOption {
    let support = Support::Only { accepted, remedy };
    KnownOption { name, env, flag: None, shape: Shape::Other, default: "", help, support }
}

const LEAVE_OUT: &str = "leave it out";
const NONE: &[&str] = &["[]", "{}", "\"\""];

/// All options, in the order of the documentation: those that this version supports first.
pub const OPTIONS: &[KnownOption] = &[
    yes(
        "scenarios",
        "SCENARIOS",
        None,
        Shape::Scenarios,
        "one scenario, `default`, as the shortcuts say",
        "Scenarios by name: an executor with its options each.",
    ),
    yes(
        "vus",
        "VUS",
        Some("-u, --vus"),
        Shape::Positive,
        "1",
        "Shortcut: number of virtual users. With `duration` they run for that long, with `iterations` they share them, with `stages` they begin; alone, as many iterations are shared.",
    ),
    yes(
        "duration",
        "DURATION",
        Some("-d, --duration"),
        Shape::PositiveDuration,
        "none",
        "Shortcut: how long the virtual users run (`constant-vus`). With `iterations`, the longest time that those may take.",
    ),
    yes(
        "iterations",
        "ITERATIONS",
        Some("-i, --iterations"),
        Shape::Positive,
        "none",
        "Shortcut: number of iterations that the virtual users share (`shared-iterations`).",
    ),
    yes(
        "stages",
        "STAGES",
        Some("-s, --stage"),
        Shape::Stages,
        "none",
        "Shortcut: how the number of virtual users changes (`ramping-vus`). In the environment and as a flag: `30s:100,1m:0`.",
    ),
    yes(
        "thresholds",
        "THRESHOLDS",
        None,
        Shape::Thresholds,
        "none",
        "Conditions that the run must meet, per metric: expressions, or objects with `threshold`, `abortOnFail`, `delayAbortEval` and `window`. In the environment: JSON.",
    ),
    yes(
        "tags",
        "TAGS",
        Some("--tag"),
        Shape::Pairs,
        "none",
        "Tags of every sample. In the environment: `name:value,name2:value2`.",
    ),
    yes(
        "rps",
        "RPS",
        Some("--rps"),
        Shape::Count,
        "0: no limit",
        "At most so many requests a second, over all virtual users.",
    ),
    yes(
        "userAgent",
        "USER_AGENT",
        Some("--user-agent"),
        Shape::Header,
        "`flashcrowd/` and the version",
        "The `User-Agent` header of requests that bring none.",
    ),
    yes("setupTimeout", "SETUP_TIMEOUT", None, Shape::PositiveDuration, "60s", "How long `setup` may take."),
    yes("teardownTimeout", "TEARDOWN_TIMEOUT", None, Shape::PositiveDuration, "60s", "How long `teardown` may take."),
    yes("noSetup", "NO_SETUP", Some("--no-setup"), Shape::Bool, "false", "Does not run `setup`."),
    yes("noTeardown", "NO_TEARDOWN", Some("--no-teardown"), Shape::Bool, "false", "Does not run `teardown`."),
    yes(
        "noThresholds",
        "NO_THRESHOLDS",
        Some("--no-thresholds"),
        Shape::Bool,
        "false",
        "Does not evaluate thresholds.",
    ),
    yes(
        "minIterationDuration",
        "MIN_ITERATION_DURATION",
        Some("--min-iteration-duration"),
        Shape::Duration,
        "0s",
        "An iteration takes at least this long: its virtual user waits.",
    ),
    yes(
        "maxRedirects",
        "MAX_REDIRECTS",
        Some("--max-redirects"),
        Shape::Count,
        "10",
        "How many redirects a request follows unless it says otherwise; 0 follows none.",
    ),
    yes(
        "noCookiesReset",
        "NO_COOKIES_RESET",
        Some("--no-cookies-reset"),
        Shape::Bool,
        "false",
        "Keeps a virtual user's cookies from one iteration to the next.",
    ),
    yes(
        "batch",
        "BATCH",
        Some("--batch"),
        Shape::Positive,
        "20",
        "Requests of one batch (`http::batch`) that are under way at once.",
    ),
    yes(
        "batchPerHost",
        "BATCH_PER_HOST",
        Some("--batch-per-host"),
        Shape::Count,
        "6",
        "Those of them to one host; 0 for no limit.",
    ),
    yes(
        "discardResponseBodies",
        "DISCARD_RESPONSE_BODIES",
        Some("--discard-response-bodies"),
        Shape::Bool,
        "false",
        "Reads and counts response bodies, and throws them away.",
    ),
    yes(
        "noConnectionReuse",
        "NO_CONNECTION_REUSE",
        Some("--no-connection-reuse"),
        Shape::Bool,
        "false",
        "Opens a connection for every request.",
    ),
    yes(
        "noVUConnectionReuse",
        "NO_VU_CONNECTION_REUSE",
        Some("--no-vu-connection-reuse"),
        Shape::Bool,
        "false",
        "Closes connections at the end of each iteration.",
    ),
    yes(
        "throw",
        "THROW",
        Some("--throw"),
        Shape::Bool,
        "false",
        "Ends an iteration as failed when one of its requests gets no whole answer: for a network error, not for a status.",
    ),
    yes(
        "httpDebug",
        "HTTP_DEBUG",
        Some("--http-debug"),
        Shape::HttpDebug,
        "none",
        "Prints every request and its response on standard error, secrets included: `headers`, or with bodies `full`.",
    ),
    yes(
        "systemTags",
        "SYSTEM_TAGS",
        Some("--system-tags"),
        Shape::SystemTags,
        "`proto,subproto,status,method,url,name,group,check,error,error_code,tls_version,scenario,service,expected_response`",
        "The tags that the runtime sets by itself. On request also `vu`, `iter`, `ip`. Without `check`, all checks are counted as one without a name.",
    ),
    yes(
        "summaryTrendStats",
        "SUMMARY_TREND_STATS",
        Some("--summary-trend-stats"),
        Shape::TrendStats,
        "`avg,min,med,max,p(90),p(95)`",
        "What the summary tells of a trend.",
    ),
    yes(
        "summaryTimeUnit",
        "SUMMARY_TIME_UNIT",
        Some("--summary-time-unit"),
        Shape::TimeUnit,
        "the one that suits each value",
        "The unit of the summary's times: `s`, `ms` or `us`.",
    ),
    yes(
        "paused",
        "PAUSED",
        Some("-p, --paused"),
        Shape::Bool,
        "false",
        "The load waits until somebody resumes it: by the API, `runtime resume` or the key `p`.",
    ),
    yes(
        "linger",
        "LINGER",
        Some("-l, --linger"),
        Shape::Bool,
        "false",
        "Stays after the run, with its API, until somebody stops it.",
    ),
    yes(
        "insecureSkipTLSVerify",
        "INSECURE_SKIP_TLS_VERIFY",
        Some("--insecure-skip-tls-verify"),
        Shape::Bool,
        "false",
        "Accepts any TLS certificate.",
    ),
    yes(
        "tlsVersion",
        "TLS_VERSION",
        None,
        Shape::TlsVersion,
        "`tls1.2` to `tls1.3`",
        "The version of TLS, or `{min, max}`: `tls1.2` or `tls1.3`.",
    ),
    yes(
        "tlsCipherSuites",
        "TLS_CIPHER_SUITES",
        None,
        Shape::CipherSuites,
        "all that are supported",
        "The cipher suites that may be used, by their IANA names.",
    ),
    yes(
        "tlsAuth",
        "TLSAUTH",
        None,
        Shape::TlsAuth,
        "none",
        "Client certificates: a list of `{domains, cert, key}` in PEM. In the environment: JSON. `--client-cert` takes files.",
    ),
    yes(
        "httpVersion",
        "HTTP_VERSION",
        Some("--http-version"),
        Shape::HttpVersion,
        "`auto`",
        "The version of HTTP: `auto` (over TLS HTTP/2 where the server agrees to it, else HTTP/1.1), `1.1` or `2` (without TLS with prior knowledge). k6 has no such option.",
    ),
    yes(
        "dns",
        "DNS",
        Some("--dns"),
        Shape::Dns,
        "`ttl=5m,select=random,policy=preferIPv4`",
        "How names are looked up: how long an answer is good for (`0` asks each time, `inf` once), which of several addresses is called (`first`, `random`, `roundRobin`), and which may be (`preferIPv4`, `preferIPv6`, `onlyIPv4`, `onlyIPv6`, `any`).",
    ),
    yes(
        "hosts",
        "HOSTS",
        None,
        Shape::Hosts,
        "none",
        "Addresses of names, in place of the resolver's: `{\"shop.test\": \"127.0.0.1:8080\"}`; `*.` in front stands for all names below. What the module gives must be granted at both ends.",
    ),
    yes(
        "blockHostnames",
        "BLOCK_HOSTNAMES",
        Some("--block-hostnames"),
        Shape::HostNames,
        "none",
        "Names that may not be called, whatever is granted; `*.` in front stands for all names below.",
    ),
    yes(
        "blacklistIPs",
        "BLACKLIST_IPS",
        Some("--blacklist-ip"),
        Shape::Networks,
        "none",
        "Addresses and networks that may not be called, whatever is granted.",
    ),
    yes(
        "localIPs",
        "LOCAL_IPS",
        Some("--local-ips"),
        Shape::LocalIps,
        "the system's choice",
        "Addresses to call from, one for each virtual user in turn: addresses, ranges and networks, with commas.",
    ),
    yes("noUsageReport", "NO_USAGE_REPORT", None, Shape::Bool, "true", "No effect: this program reports to nobody."),
    not_yet(
        "executionSegment",
        "EXECUTION_SEGMENT",
        &["\"\"", "\"0:1\"", "\"100%\""],
        "The share of the load that this process makes.",
        "leave it out, and use --scale-load for a smaller load",
    ),
    not_yet(
        "executionSegmentSequence",
        "EXECUTION_SEGMENT_SEQUENCE",
        &["\"\"", "\"0,1\""],
        "How the load is shared.",
        LEAVE_OUT,
    ),
    not_yet(
        "metricSamplesBufferSize",
        "METRIC_SAMPLES_BUFFER_SIZE",
        &["1000"],
        "Size of a buffer.",
        "leave it out: there is no such buffer",
    ),
    not_yet(
        "consoleOutput",
        "CONSOLE_OUTPUT",
        &["\"\""],
        "A file for the scenario's log.",
        "leave it out, and redirect standard error",
    ),
    not_yet("ext", "EXT", NONE, "Settings of extensions and services.", "leave it out: the test runs on this machine"),
    not_yet("cloud", "CLOUD", NONE, "Settings of k6's cloud.", "leave it out: the test runs on this machine"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_stand_once() {
        let names: HashSet<_> = OPTIONS.iter().map(|option| option.name).collect();
        let variables: HashSet<_> = OPTIONS.iter().map(|option| option.env).collect();
        assert_eq!((names.len(), variables.len()), (OPTIONS.len(), OPTIONS.len()));
    }

    #[test]
    fn variables_are_the_names_in_capitals() {
        for option in OPTIONS.iter().filter(|option| option.name != "tlsAuth") {
            assert_eq!(option.env.replace('_', "").to_lowercase(), option.name.to_lowercase());
        }
    }

    #[test]
    fn accepted_values_are_json_and_accepted() {
        for option in OPTIONS {
            for accepted in option.accepted() {
                option.check(&serde_json::from_str(accepted).unwrap()).unwrap();
            }
        }
    }
}
