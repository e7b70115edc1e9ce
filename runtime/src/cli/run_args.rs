//! What was typed after `runtime run`, and how it becomes a layer of options and the settings of this run.
//!
//! Values are taken as text and read here, so that an error names the flag, the value and the remedy like every other.

mod settings;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::field_error::FieldError;
use crate::options::{Options, from_text, known, read};

pub(super) use settings::summary_mode;
pub use settings::{RunSettings, parse_size};

/// Flags that say what load is made. `inspect` takes them too.
#[derive(Debug, Clone, Default, Args)]
pub struct OptionArgs {
    /// Number of virtual users, from 1. With --duration they run for that long, with --iterations they share them; alone, they
    /// share as many iterations [default: 1]
    #[arg(short = 'u', long, value_name = "N", allow_negative_numbers = true, help_heading = "Load")]
    pub vus: Option<String>,

    /// How long the virtual users run: 30s, 1m30s, 500ms, 1d12h, or a number of milliseconds
    #[arg(short = 'd', long, value_name = "DURATION", allow_negative_numbers = true, help_heading = "Load")]
    pub duration: Option<String>,

    /// Number of iterations that the virtual users share, from 1. With --duration, for no longer than that
    #[arg(short = 'i', long, value_name = "N", allow_negative_numbers = true, help_heading = "Load")]
    pub iterations: Option<String>,

    /// A stage of a ramp: 30s:100 takes 30 seconds to reach 100 virtual users. Repeatable, or with commas
    #[arg(short = 's', long = "stage", value_name = "DURATION:TARGET", help_heading = "Load")]
    pub stages: Vec<String>,

    /// At most so many requests a second, over all virtual users; 0 for no limit [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Load")]
    pub rps: Option<String>,

    /// An iteration takes at least this long [default: 0s]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, help_heading = "Load")]
    pub min_iteration_duration: Option<String>,

    /// Multiplies rates, virtual users and iterations; above 0, at most 1000000 [default: 1]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, help_heading = "Load")]
    pub scale_load: Option<String>,

    /// Multiplies durations and start times, graceful stops excepted; above 0, at most 1000000 [default: 1]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, help_heading = "Load")]
    pub scale_time: Option<String>,

    /// Only the scenario of this name; the first of them begins at once. Repeatable [default: all]
    #[arg(long = "scenario", value_name = "NAME", help_heading = "Load")]
    pub scenarios: Vec<String>,

    /// A file with a k6 options object in JSON. Its options give way to the module's, the environment's and the flags'
    #[arg(short = 'c', long, value_name = "FILE", help_heading = "Scenario")]
    pub config: Option<PathBuf>,

    /// A variable that the scenario sees. NAME alone takes its value from this process's environment. The host of a URL in the
    /// value may be called. With several modules, MODULE.NAME=VALUE is for one of them. Repeatable
    #[arg(short = 'e', long = "env", value_name = "NAME[=VALUE]", help_heading = "Scenario")]
    pub env: Vec<String>,

    /// A tag of every sample. Repeatable
    #[arg(long = "tag", value_name = "NAME=VALUE", help_heading = "Scenario")]
    pub tags: Vec<String>,

    /// Does not run the scenario's setup
    #[arg(long, help_heading = "Scenario", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub no_setup: Option<String>,

    /// Does not run the scenario's teardown
    #[arg(long, help_heading = "Scenario", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub no_teardown: Option<String>,

    /// Does not evaluate thresholds
    #[arg(long, help_heading = "Scenario", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub no_thresholds: Option<String>,

    /// The load waits until somebody resumes it: by the API, `runtime resume` or the key p
    #[arg(short = 'p', long, help_heading = "Control", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub paused: Option<String>,

    /// Stays after the run, with its API, until somebody stops it
    #[arg(short = 'l', long, help_heading = "Control", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub linger: Option<String>,

    /// The User-Agent header of requests that bring none [default: flashcrowd/VERSION]
    #[arg(long, value_name = "TEXT", help_heading = "HTTP")]
    pub user_agent: Option<String>,

    /// How many redirects a request follows unless it says otherwise; 0 follows none [default: 10]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "HTTP")]
    pub max_redirects: Option<String>,

    /// Keeps a virtual user's cookies from one iteration to the next
    #[arg(long, help_heading = "HTTP", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub no_cookies_reset: Option<String>,

    /// Requests of one batch that are under way at once [default: 20]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "HTTP")]
    pub batch: Option<String>,

    /// Those of them to one host; 0 for no limit [default: 6]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "HTTP")]
    pub batch_per_host: Option<String>,

    /// Reads and counts response bodies, and throws them away
    #[arg(long, help_heading = "HTTP", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub discard_response_bodies: Option<String>,

    /// Opens a connection for every request
    #[arg(long, help_heading = "HTTP", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub no_connection_reuse: Option<String>,

    /// Closes connections at the end of each iteration
    #[arg(long = "no-vu-connection-reuse", help_heading = "HTTP", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub no_vu_connection_reuse: Option<String>,

    /// The version of HTTP: auto (over TLS what the server prefers), 1.1, or 2 (without TLS with prior knowledge) [default: auto]
    #[arg(long, value_name = "VERSION", help_heading = "HTTP")]
    pub http_version: Option<String>,

    /// Accepts any TLS certificate
    #[arg(long = "insecure-skip-tls-verify", help_heading = "HTTP", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub insecure_skip_tls_verify: Option<String>,

    /// How names are looked up [default: ttl=5m,select=random,policy=preferIPv4]
    #[arg(long, value_name = "OPTIONS", help_heading = "Network")]
    pub dns: Option<String>,

    /// Names that may not be called, whatever is granted; *. in front stands for all names below. With commas
    #[arg(long, value_name = "HOSTS", help_heading = "Network")]
    pub block_hostnames: Option<String>,

    /// An address or a network that may not be called, whatever is granted. Repeatable, or with commas
    #[arg(long = "blacklist-ip", value_name = "NETWORK", help_heading = "Network")]
    pub blacklist_ips: Vec<String>,

    /// Addresses to call from, one for each virtual user in turn: addresses, ranges and networks, with commas
    #[arg(long, value_name = "ADDRESSES", help_heading = "Network")]
    pub local_ips: Option<String>,

    /// Ends an iteration as failed when one of its requests gets no whole answer
    #[arg(long, help_heading = "HTTP", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub throw: Option<String>,

    /// Prints every request and its response, secrets included: headers, or full for the bodies too [default: none,
    /// or headers without a value]
    #[arg(long, help_heading = "HTTP", num_args = 0..=1, require_equals = true, default_missing_value = "headers", value_name = "WHAT", hide_possible_values = true)]
    pub http_debug: Option<String>,

    /// The tags that the runtime sets by itself, with commas [default: all but vu, iter and ip]
    #[arg(long, value_name = "TAGS", help_heading = "Results")]
    pub system_tags: Option<String>,

    /// What the summary tells of a trend: avg, min, med, max, count, p(N) with N from 0 to 100, with commas
    /// [default: avg,min,med,max,p(90),p(95)]
    #[arg(long, value_name = "STATS", help_heading = "Results")]
    pub summary_trend_stats: Option<String>,

    /// The unit of the summary's times: s, ms or us [default: the one that suits each value]
    #[arg(long, value_name = "UNIT", help_heading = "Results")]
    pub summary_time_unit: Option<String>,
}

/// Everything after `runtime run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// A compiled scenario (.wasm), or a scenario's crate folder, which is built first. With several, each runs its scenarios beside the
    /// others', under names that begin with its own: shop.browse. NAME=MODULE calls it otherwise
    #[arg(value_name = "MODULE", required = true)]
    pub modules: Vec<String>,

    /// What load is made.
    #[command(flatten)]
    pub options: OptionArgs,

    /// A table that the scenario reads: a .csv file, a .json file with an array of objects, or a .jsonl or .ndjson file with an
    /// object per line. It is read once and shared by all virtual users. Repeatable
    #[arg(long = "data", value_name = "NAME=FILE", help_heading = "Scenario")]
    pub data: Vec<String>,

    /// A host that the scenario may call: host, host:port, *.suffix, an address, or a network such as 10.0.0.0/8.
    /// Repeatable, or with commas [default: none but the hosts of URLs given by -e]
    #[arg(long = "allow-host", value_name = "HOST", help_heading = "Grants and limits")]
    pub allow_hosts: Vec<String>,

    /// A file with certificates (PEM) of authorities that are trusted beside the system's. Repeatable
    #[arg(long = "ca-cert", value_name = "FILE", help_heading = "Network")]
    pub ca_certs: Vec<PathBuf>,

    /// A file with the certificate (PEM) that is shown to servers which ask for one
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub client_cert: Option<PathBuf>,

    /// A file with its private key (PEM, not encrypted) [default: that of --client-cert]
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub client_key: Option<PathBuf>,

    /// An HTTP proxy that requests go through, as an http URL. Proxies in the environment are not heeded
    #[arg(long, value_name = "URL", help_heading = "Network")]
    pub proxy: Option<String>,

    /// Hosts that are called directly, as --allow-host has them. Repeatable, or with commas
    #[arg(long, value_name = "HOST", help_heading = "Network")]
    pub no_proxy: Vec<String>,

    /// A file that the scenario may send, under this name: it is read once, and shared by all virtual users. Repeatable
    #[arg(long = "file", value_name = "NAME=PATH", help_heading = "Grants and limits")]
    pub files: Vec<String>,

    /// A folder below which the scenario's summary may write files [default: none]
    #[arg(long, value_name = "DIR", help_heading = "Grants and limits")]
    pub allow_write: Option<PathBuf>,

    /// Memory that one instance may use: bytes, KiB, MiB or GiB; from 1MiB to 4GiB [default: 64MiB]
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, help_heading = "Grants and limits")]
    pub memory_limit: Option<String>,

    /// Computing time that one iteration may use, waiting excepted; from 10ms [default: 10s]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, help_heading = "Grants and limits")]
    pub cpu_limit: Option<String>,

    /// Runs every scenario function once, with one virtual user, and shows its requests, answers and checks: for writing a
    /// scenario. Without thresholds and without a results file
    #[arg(long, help_heading = "Running")]
    pub once: bool,

    /// Makes randomness repeatable: 0 to 18446744073709551615 [default: another one each time, told in the summary]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Running")]
    pub seed: Option<String>,

    /// Worker threads, from 1 to 1024 [default: the number of cores]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Running")]
    pub shards: Option<String>,

    /// Metrics times tag sets that are kept apart, from 1; what goes beyond is counted together [default: 10000]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Results")]
    pub max_series: Option<String>,

    /// What a threshold without any sample means: fail or pass [default: fail if nobody knows the metric, else pass]
    #[arg(long, value_name = "VERDICT", help_heading = "Results")]
    pub no_data: Option<String>,

    /// Fails the run if any check fails, with the exit code of a crossed threshold
    #[arg(long, help_heading = "Results")]
    pub fail_on_check: bool,

    /// Fails the run if a scenario started a smaller share of the iterations that were due: above 0, at most 1 [default: none]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, help_heading = "Results")]
    pub min_rate_achieved: Option<String>,

    /// How much the summary tells: compact, full or disabled [default: compact]
    #[arg(long, value_name = "MODE", help_heading = "Results", conflicts_with = "no_summary")]
    pub summary_mode: Option<String>,

    /// Prints no summary; the same as --summary-mode disabled
    #[arg(long, help_heading = "Results")]
    pub no_summary: bool,

    /// Writes the summary to this file, as JSON
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub summary_export: Option<PathBuf>,

    /// Records everything that is measured in this file while the run goes on, for `runtime report`
    /// [default: a new file in $XDG_STATE_HOME/flashcrowd/results, or ~/.local/state/flashcrowd/results]
    #[arg(long, value_name = "FILE", help_heading = "Results", conflicts_with = "no_results")]
    pub results: Option<PathBuf>,

    /// Records nothing
    #[arg(long, help_heading = "Results")]
    pub no_results: bool,

    /// Serves an HTTP API to look at the run and to steer it; port 0 takes one that is free [default: none]
    #[arg(short = 'a', long, value_name = "HOST:PORT", help_heading = "Control")]
    pub address: Option<String>,

    /// What requests to the API must bring; must be given where other machines reach it. Better in the variable FLASHCROWD_API_TOKEN,
    /// which nobody sees in a list of processes
    #[arg(long, value_name = "TOKEN", help_heading = "Control")]
    pub api_token: Option<String>,

    /// Shows no progress
    #[arg(short = 'q', long, help_heading = "Output", conflicts_with = "verbose")]
    pub quiet: bool,

    /// Says more about what happens
    #[arg(short = 'v', long, help_heading = "Output")]
    pub verbose: bool,

    /// Prints without colours; so does a NO_COLOR in the environment
    #[arg(long, help_heading = "Output")]
    pub no_color: bool,
}

impl OptionArgs {
    /// The flags as the uppermost layer of options.
    ///
    /// # Errors
    /// A wrong value, naming the flag; two ways to run the load.
    pub fn layer(&self) -> Result<Options, FieldError> {
        let mut options = Options::default();
        let texts: [(&str, &Option<String>); 28] = [
            ("vus", &self.vus),
            ("duration", &self.duration),
            ("iterations", &self.iterations),
            ("rps", &self.rps),
            ("minIterationDuration", &self.min_iteration_duration),
            ("noSetup", &self.no_setup),
            ("noTeardown", &self.no_teardown),
            ("noThresholds", &self.no_thresholds),
            ("paused", &self.paused),
            ("linger", &self.linger),
            ("userAgent", &self.user_agent),
            ("maxRedirects", &self.max_redirects),
            ("noCookiesReset", &self.no_cookies_reset),
            ("batch", &self.batch),
            ("batchPerHost", &self.batch_per_host),
            ("discardResponseBodies", &self.discard_response_bodies),
            ("noConnectionReuse", &self.no_connection_reuse),
            ("noVUConnectionReuse", &self.no_vu_connection_reuse),
            ("httpVersion", &self.http_version),
            ("insecureSkipTLSVerify", &self.insecure_skip_tls_verify),
            ("dns", &self.dns),
            ("blockHostnames", &self.block_hostnames),
            ("localIPs", &self.local_ips),
            ("throw", &self.throw),
            ("httpDebug", &self.http_debug),
            ("systemTags", &self.system_tags),
            ("summaryTrendStats", &self.summary_trend_stats),
            ("summaryTimeUnit", &self.summary_time_unit),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                set_text(&mut options, name, text)?;
            }
        }
        if !self.stages.is_empty() {
            set_text(&mut options, "stages", &self.stages.join(","))?;
        }
        if !self.blacklist_ips.is_empty() {
            set_text(&mut options, "blacklistIPs", &self.blacklist_ips.join(","))?;
        }
        if !self.tags.is_empty() {
            set(&mut options, "tags", &self.tags()?)?;
        }
        options.check_conflicts(flag_of)?;
        Ok(options)
    }

    fn tags(&self) -> Result<Value, FieldError> {
        let mut tags = Map::new();
        for tag in &self.tags {
            match tag.split_once('=') {
                Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                    tags.insert(name.to_owned(), json!(value));
                }
                _ => {
                    let problem = "is not a tag; write NAME=VALUE, such as team=shop";
                    return Err(FieldError::new("--tag", format!("\"{tag}\""), problem));
                }
            }
        }
        Ok(Value::Object(tags))
    }
}

fn set_text(options: &mut Options, name: &str, text: &str) -> Result<(), FieldError> {
    let Some(option) = known::find(name) else { return Ok(()) };
    let value = from_text(option.shape, text).map_err(|error| error.renamed(name, &flag_of(name)))?;
    set(options, name, &value)
}

fn set(options: &mut Options, name: &str, value: &Value) -> Result<(), FieldError> {
    options.set(name, value).map_err(|error| error.renamed(name, &flag_of(name)))
}

/// The long flag of an option.
fn flag_of(name: &str) -> String {
    let flags = known::find(name).and_then(|option| option.flag).unwrap_or(name);
    flags.rsplit(' ').next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests;
