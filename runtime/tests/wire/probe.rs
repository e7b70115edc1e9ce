//! Tables of cases, sent by the module `probe`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::support::{Folder, Run, finish, guest, runtime};

/// A request and what is to come of it.
pub(crate) struct Case {
    name: String,
    step: Value,
    expected: Value,
}

/// The step's fields are those of `probe`'s `Step`, the expected ones those of its answer; `body` is the text read as JSON, `headers` are by
/// name, and `tags` are those that a sample must have beside the status and the error code. Only what is named is compared. A text that begins
/// with `~` is one that must be contained.
pub(crate) fn case(name: impl Into<String>, step: Value, expected: Value) -> Case {
    Case { name: name.into(), step, expected }
}

impl Case {
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name == name
    }
}

/// A run of the probe.
pub(crate) struct Probe {
    cases: Vec<Case>,
    options: Value,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Probe {
    pub(crate) fn new(cases: impl IntoIterator<Item = Case>) -> Self {
        let arguments = ["--allow-host", "127.0.0.1", "--allow-host", "localhost"].map(str::to_owned).to_vec();
        Self { cases: cases.into_iter().collect(), options: json!({}), arguments, environment: Vec::new() }
    }

    /// Arguments of `runtime run`.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.arguments.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Grants nothing but what further arguments do.
    pub(crate) fn without_grants(mut self) -> Self {
        self.arguments.clear();
        self
    }

    /// An option of the config file.
    pub(crate) fn option(mut self, name: &str, value: Value) -> Self {
        self.options[name] = value;
        self
    }

    /// Of the runtime's process.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Trusts this authority alone, as if the system did.
    pub(crate) fn trusting(self, authority: &str) -> Self {
        self.environment("SSL_CERT_FILE", authority)
    }

    /// Sends the steps, and gives what came back, whatever it is.
    pub(crate) fn send(self) -> Told {
        let folder = Folder::new();
        let (config, export) = (folder.file("options.json"), folder.file("summary.json"));
        std::fs::write(&config, self.options.to_string()).expect("the options are written");
        let steps: Vec<Value> = self.cases.into_iter().map(|case| with_name(case.step, &case.name)).collect();
        let mut command = runtime();
        command.arg("run").arg(guest("probe")).args(&self.arguments).arg("--config").arg(&config);
        command.arg("-e").arg(format!("STEPS={}", Value::Array(steps)));
        command.arg("--summary-export").arg(&export).current_dir(folder.path()).envs(self.environment);
        let run = finish(command, &export);
        Told { answers: answers(&run.stderr), run }
    }

    /// Sends the steps once each and compares all of what came back, and its tags, with what was expected.
    #[track_caller]
    pub(crate) fn holds(mut self) -> Told {
        let expected: Vec<(String, Value)> =
            self.cases.iter().map(|case| (case.name.clone(), case.expected.clone())).collect();
        let mut tagged = Vec::new();
        for (name, expected) in &expected {
            let mut tags = vec![format!("name:{name}")];
            tags.extend(expected["status"].as_u64().map(|status| format!("status:{status}")));
            tags.extend(
                expected["error_code"].as_u64().filter(|code| *code > 0).map(|code| format!("error_code:{code}")),
            );
            let further = expected["tags"].as_object().into_iter().flatten();
            tags.extend(further.map(|(tag, value)| format!("{tag}:{}", value.as_str().expect("a tag is a text"))));
            let metric = format!("http_reqs{{{}}}", tags.join(","));
            self.options["thresholds"][&metric] = json!(["count>=0"]);
            tagged.push((name.clone(), metric));
        }
        let told = self.send();
        let mut problems = Vec::new();
        for (name, expected) in &expected {
            match told.all(name)[..] {
                [answer] => differences(name, expected, answer, &mut problems),
                ref answers => problems.push(format!("{name}: {} answers", answers.len())),
            }
        }
        for (name, metric) in tagged {
            if told.run.metric_or_zero(&metric, "count") < 1.0 {
                problems.push(format!("{name}: no sample has the tags {metric}"));
            }
        }
        let said: Vec<&str> = told.run.stderr.lines().filter(|line| !line.contains("]: told ")).collect();
        let code = told.run.code;
        assert!(problems.is_empty() && code == 0, "exit code {code}\n{}\n{}", problems.join("\n"), said.join("\n"));
        told
    }
}

fn with_name(mut step: Value, name: &str) -> Value {
    step["name"] = json!(name);
    step
}

/// What came back.
pub(crate) struct Told {
    pub(crate) run: Run,
    /// In the order in which each virtual user got them.
    pub(crate) answers: Vec<Value>,
}

impl Told {
    /// The exit code, or everything that was printed.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        Self { run: self.run.exits(code), answers: self.answers }
    }

    /// The answers to the steps of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&Value> {
        self.answers.iter().filter(|answer| answer["name"] == name).collect()
    }

    /// The only answer to the step of this name.
    #[track_caller]
    pub(crate) fn of(&self, name: &str) -> &Value {
        match self.all(name)[..] {
            [answer] => answer,
            ref answers => {
                panic!(
                    "{} answers to {name}\nstdout:\n{}\nstderr:\n{}",
                    answers.len(),
                    self.run.stdout,
                    self.run.stderr
                )
            }
        }
    }
}

/// Puts together what `probe` told line by line.
fn answers(stderr: &str) -> Vec<Value> {
    let mut unfinished: BTreeMap<&str, String> = BTreeMap::new();
    let mut answers = Vec::new();
    for line in stderr.lines() {
        let Some((_, told)) = line.split_once("]: told ") else { continue };
        let Some((vu, told)) = told.split_once(' ') else { continue };
        let Some(mark) = told.find([':', '!']) else { continue };
        let text = unfinished.entry(vu).or_default();
        text.push_str(&told[mark + 1..]);
        if told[mark..].starts_with('!') {
            answers.push(readable(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))));
            text.clear();
        }
    }
    answers
}

/// An answer with its headers by name, and its text as JSON if it is some.
fn readable(mut answer: Value) -> Value {
    let mut headers = Map::new();
    for header in answer["headers"].as_array().into_iter().flatten() {
        let (name, value) = (header[0].as_str().unwrap_or_default(), header[1].as_str().unwrap_or_default());
        match headers.get_mut(name) {
            Some(Value::String(before)) => before.extend([", ", value]),
            _ => drop(headers.insert(name.to_owned(), json!(value))),
        }
    }
    answer["headers"] = Value::Object(headers);
    answer["body"] = serde_json::from_str(answer["text"].as_str().unwrap_or_default()).unwrap_or(Value::Null);
    answer
}

fn differences(at: &str, expected: &Value, actual: &Value, problems: &mut Vec<String>) {
    let same = match expected {
        Value::Object(fields) => {
            for (name, expected) in fields.iter().filter(|(name, _)| *name != "tags") {
                differences(&format!("{at}: {name}"), expected, &actual[name], problems);
            }
            return;
        }
        Value::String(text) if text.starts_with('~') => {
            actual.as_str().is_some_and(|actual| actual.contains(&text[1..]))
        }
        Value::Number(number) => actual.as_f64() == number.as_f64(),
        expected => actual == expected,
    };
    if !same {
        problems.push(format!("{at} is {actual} and not {expected}"));
    }
}

/// FNV-1a, as `probe` counts it.
pub(crate) fn hash(bytes: &[u8]) -> String {
    let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3_u64);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, hash))
}
