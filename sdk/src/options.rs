//! The test's options: k6's, built with types instead of by hand.

mod about;
mod duration;
mod executor;
mod threshold;

use serde::Serialize;
use serde_json::{Map, Value, json};

pub(crate) use about::About;
pub use about::{DataTable, EnvVar};
pub use duration::{Span, hours, millis, mins, secs};
pub use executor::{
    ConstantArrivalRate, ConstantVus, ExternallyControlled, PerVuIterations, RampingArrivalRate, RampingVus, Scenario,
    SharedIterations, Stage, stage,
};
pub use threshold::Threshold;

/// A test's options: which scenarios run, when the test has passed, and what a stranger should know about it.
///
/// The names are k6's, and so is the JSON that it becomes. Whatever is said here is a default: a configuration file does not
/// change it, but environment variables and flags do.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// #[flashcrowd::options]
/// fn options() -> Options {
///     Options::new()
///         .scenario("browse", ConstantVus::new(50).duration(mins(5)).exec("browse"))
///         .scenario("buy", ConstantArrivalRate::per_second(20).duration(mins(5)).pre_allocated_vus(40).exec("buy"))
///         .threshold("http_req_duration{scenario:buy}", "p(95)<500")
///         .threshold("checks", "rate>0.99")
///         .env_var(EnvVar::required("BASE_URL").help("where the shop is, such as http://127.0.0.1:8080"))
/// }
///
/// #[flashcrowd::scenario]
/// fn browse() {}
///
/// #[flashcrowd::scenario]
/// fn buy() {}
/// # fn main() {}
/// ```
///
/// Without scenarios, the shortcuts say what the only one does:
///
/// ```
/// use flashcrowd::prelude::*;
///
/// let options = Options::new().vus(50).duration(mins(1)).rps(100);
/// assert_eq!(options.to_json(), json!({"vus": 50, "duration": "1m", "rps": 100}));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Options {
    fields: Map<String, Value>,
    about: About,
}

impl Options {
    /// No options: one virtual user runs one iteration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a scenario. Its name consists of letters, digits, `_` and `-`.
    ///
    /// # Panics
    /// If there is a scenario of this name already.
    #[track_caller]
    pub fn scenario(mut self, name: impl Into<String>, scenario: impl Into<Scenario>) -> Self {
        let name = name.into();
        let scenarios = self.object("scenarios");
        assert!(!scenarios.contains_key(&name), "there are two scenarios named {name:?}; give each its own name");
        scenarios.insert(name, scenario.into().into_json());
        self
    }

    /// Adds a threshold: an expression such as `p(95)<500` over a metric such as `http_req_duration` or
    /// `http_req_duration{scenario:buy}`. Or a [`Threshold`] that says more.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// let options = Options::new()
    ///     .threshold("http_req_duration", "p(95)<500")
    ///     .threshold("http_req_failed", Threshold::new("rate<0.01").abort_on_fail().delay_abort_eval(secs(10)));
    /// assert_eq!(options.to_json()["thresholds"], json!({
    ///     "http_req_duration": ["p(95)<500"],
    ///     "http_req_failed": [{"threshold": "rate<0.01", "abortOnFail": true, "delayAbortEval": "10s"}],
    /// }));
    /// ```
    pub fn threshold(mut self, metric: impl Into<String>, threshold: impl Into<Threshold>) -> Self {
        let list = self.object("thresholds").entry(metric).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(threshold.into().into_json());
        }
        self
    }

    /// Adds a threshold that ends the test at once when it is crossed.
    pub fn threshold_abort(self, metric: impl Into<String>, expression: impl Into<String>) -> Self {
        self.threshold(metric, Threshold::new(expression).abort_on_fail())
    }

    /// Sets any option by its k6 name. For what has no method of its own.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// let options = Options::new().set("discardResponseBodies", true);
    /// assert_eq!(options.to_json(), json!({"discardResponseBodies": true}));
    /// ```
    ///
    /// # Panics
    /// If the value cannot be JSON.
    #[track_caller]
    pub fn set(mut self, option: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => self.fields.insert(option.to_owned(), value),
            Err(error) => panic!("the option {option} cannot be written as JSON: {error}"),
        };
        self
    }

    /// The options as k6's JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    fn put(mut self, option: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(option.to_owned(), value.into());
        self
    }

    /// The object under this key, made if need be.
    fn object(&mut self, option: &str) -> &mut Map<String, Value> {
        let value = self.fields.entry(option).or_insert_with(|| json!({}));
        if !value.is_object() {
            *value = json!({});
        }
        match value {
            Value::Object(object) => object,
            _ => unreachable!("it was made an object above"),
        }
    }
}

/// The shortcuts: what the only scenario does, where none is named.
impl Options {
    /// How many virtual users. With [`duration`](Self::duration) they run for that long, with
    /// [`iterations`](Self::iterations) they share them.
    pub fn vus(self, vus: u32) -> Self {
        self.put("vus", vus)
    }

    /// How long the virtual users run.
    pub fn duration(self, duration: impl Into<Span>) -> Self {
        self.put("duration", duration.into())
    }

    /// How many iterations the virtual users share.
    pub fn iterations(self, iterations: u64) -> Self {
        self.put("iterations", iterations)
    }

    /// How the number of virtual users changes.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// let options = Options::new().stages([stage(secs(10), 10), stage(secs(10), 100), stage("30s", 100)]);
    /// assert_eq!(options.to_json()["stages"][1], json!({"duration": "10s", "target": 100}));
    /// ```
    pub fn stages(self, stages: impl IntoIterator<Item = Stage>) -> Self {
        let stages: Vec<Value> = stages.into_iter().map(Stage::into_json).collect();
        self.put("stages", stages)
    }

    /// At most so many requests a second, over all virtual users.
    pub fn rps(self, rps: u32) -> Self {
        self.put("rps", rps)
    }
}

/// How requests are made.
impl Options {
    /// Throws bodies away unread where the scenario does not ask for one.
    pub fn discard_response_bodies(self, discard: bool) -> Self {
        self.put("discardResponseBodies", discard)
    }

    /// Accepts any TLS certificate.
    pub fn insecure_skip_tls_verify(self, skip: bool) -> Self {
        self.put("insecureSkipTLSVerify", skip)
    }

    /// How many redirects a request follows; 10 by default.
    pub fn max_redirects(self, redirects: u32) -> Self {
        self.put("maxRedirects", redirects)
    }

    /// Opens a new connection for every request.
    pub fn no_connection_reuse(self, none: bool) -> Self {
        self.put("noConnectionReuse", none)
    }

    /// Opens new connections for every iteration.
    pub fn no_vu_connection_reuse(self, none: bool) -> Self {
        self.put("noVUConnectionReuse", none)
    }

    /// Keeps cookies from one iteration to the next.
    pub fn no_cookies_reset(self, keep: bool) -> Self {
        self.put("noCookiesReset", keep)
    }

    /// The `User-Agent` header.
    pub fn user_agent(self, agent: impl Into<String>) -> Self {
        self.put("userAgent", agent.into())
    }

    /// Goes to this address instead of asking for the host's name: `.host("shop.test", "127.0.0.1:8080")`.
    pub fn host(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.object("hosts").insert(name.into(), Value::String(address.into()));
        self
    }

    /// Refuses requests to these hosts; `*.` at the beginning stands for any name.
    pub fn block_hostnames<H: Into<String>>(self, hosts: impl IntoIterator<Item = H>) -> Self {
        let hosts: Vec<Value> = hosts.into_iter().map(|host| Value::String(host.into())).collect();
        self.put("blockHostnames", hosts)
    }

    /// How names are looked up: `ttl`, `select` and `policy`, such as `("5m", "random", "preferIPv4")`.
    pub fn dns(self, ttl: &str, select: &str, policy: &str) -> Self {
        self.put("dns", json!({"ttl": ttl, "select": select, "policy": policy}))
    }

    /// How many requests of one batch go out at once; 20 by default.
    pub fn batch(self, requests: u32) -> Self {
        self.put("batch", requests)
    }

    /// How many requests of one batch go to one host at once; 6 by default.
    pub fn batch_per_host(self, requests: u32) -> Self {
        self.put("batchPerHost", requests)
    }

    /// Ends an iteration as failed when one of its requests gets no whole answer: for a network error, not for a status.
    pub fn throw(self, throw: bool) -> Self {
        self.put("throw", throw)
    }
}

/// How the test runs and what is written about it.
impl Options {
    /// An iteration takes at least this long.
    pub fn min_iteration_duration(self, duration: impl Into<Span>) -> Self {
        self.put("minIterationDuration", duration.into())
    }

    /// How long `setup` may take; 60 seconds by default.
    pub fn setup_timeout(self, timeout: impl Into<Span>) -> Self {
        self.put("setupTimeout", timeout.into())
    }

    /// How long `teardown` may take; 60 seconds by default.
    pub fn teardown_timeout(self, timeout: impl Into<Span>) -> Self {
        self.put("teardownTimeout", timeout.into())
    }

    /// Adds a tag to all samples of the test.
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.object("tags").insert(name.into(), Value::String(value.into()));
        self
    }

    /// Which tags the runtime adds by itself.
    pub fn system_tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        let tags: Vec<Value> = tags.into_iter().map(|tag| Value::String(tag.into())).collect();
        self.put("systemTags", tags)
    }

    /// What the summary tells of a trend; `avg,min,med,max,p(90),p(95)` by default.
    pub fn summary_trend_stats<T: Into<String>>(self, stats: impl IntoIterator<Item = T>) -> Self {
        let stats: Vec<Value> = stats.into_iter().map(|stat| Value::String(stat.into())).collect();
        self.put("summaryTrendStats", stats)
    }

    /// The unit of the summary's times: `s`, `ms` or `us`. By default each has the one that suits it.
    pub fn summary_time_unit(self, unit: impl Into<String>) -> Self {
        self.put("summaryTimeUnit", unit.into())
    }
}

/// What a stranger should know. Name, version, description and authors are those of the crate's `Cargo.toml` unless they are
/// given here.
impl Options {
    /// The test's name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.about.name = Some(name.into());
        self
    }

    /// The test's version.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.about.version = Some(version.into());
        self
    }

    /// What the test asks.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.about.description = Some(description.into());
        self
    }

    /// Adds somebody who wrote it.
    pub fn author(mut self, author: impl Into<String>) -> Self {
        self.about.authors.get_or_insert_default().push(author.into());
        self
    }

    /// Declares an environment variable that the scenario reads.
    ///
    /// # Panics
    /// If it is declared already.
    #[track_caller]
    pub fn env_var(mut self, variable: EnvVar) -> Self {
        let name = variable.name();
        assert!(
            self.about.env.iter().all(|known| known.name() != name),
            "the environment variable {name} is declared twice; declare it once"
        );
        self.about.env.push(variable);
        self
    }

    /// Declares a table that the scenario cannot do without: a run without `--data NAME=FILE` is refused before the load.
    ///
    /// # Panics
    /// If it is declared already.
    #[track_caller]
    pub fn data(mut self, table: impl Into<DataTable>) -> Self {
        let table = table.into();
        let name = table.name();
        assert!(
            self.about.data.iter().all(|known| known.name() != name),
            "the table {name} is declared twice; declare it once"
        );
        self.about.data.push(table);
        self
    }
}

#[cfg(test)]
mod tests;
