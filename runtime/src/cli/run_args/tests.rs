use clap::{CommandFactory as _, Parser};

use super::*;
use crate::output::Mode;
use crate::plan::Scale;
use crate::results::Destination;
use crate::threshold::NoDataPolicy;

#[derive(Debug, Parser)]
#[command(name = "runtime")]
enum Cli {
    /// Runs a scenario
    Run(Box<RunArgs>),
}

fn parse(flags: &[&str]) -> RunArgs {
    let arguments = ["runtime", "run", "coupon.wasm"].iter().chain(flags);
    let Cli::Run(args) = Cli::try_parse_from(arguments).unwrap();
    *args
}

fn layer(flags: &[&str]) -> Result<Options, FieldError> {
    parse(flags).options.layer()
}

fn process(name: &str) -> Option<String> {
    match name {
        "BASE_URL" => Some("http://localhost:8080/api".to_owned()),
        "K6_SUMMARY_MODE" => Some("full".to_owned()),
        _ => None,
    }
}

fn settings(flags: &[&str]) -> Result<RunSettings, FieldError> {
    parse(flags).settings(|_| None)
}

#[test]
fn the_help_says_units_ranges_and_defaults() {
    let mut command = Cli::command();
    let run = command.find_subcommand_mut("run").unwrap().clone().term_width(110);
    insta::assert_snapshot!(run.clone().render_long_help());
}

#[test]
fn the_command_is_well_made() {
    Cli::command().debug_assert();
}

#[test]
fn flags_are_a_layer_of_options() {
    let flags = [
        "-u",
        "10",
        "-d",
        "1m30s",
        "--rps",
        "100",
        "--min-iteration-duration",
        "1s",
        "--no-setup",
        "--no-teardown=false",
        "--no-thresholds",
        "--user-agent",
        "me/1",
        "--discard-response-bodies",
        "--no-connection-reuse",
        "--no-vu-connection-reuse=true",
        "--system-tags",
        "status,name",
        "--summary-trend-stats",
        "avg,p(99.9)",
        "--summary-time-unit",
        "us",
        "--tag",
        "team=shop",
        "--tag",
        "query=a=b",
    ];
    assert_eq!(
        layer(&flags).unwrap().to_json(),
        json!({
            "vus": 10, "duration": "1m30s", "rps": 100, "minIterationDuration": "1s", "noSetup": true, "noTeardown": false,
            "noThresholds": true, "userAgent": "me/1", "discardResponseBodies": true, "noConnectionReuse": true,
            "noVUConnectionReuse": true, "systemTags": ["status", "name"], "summaryTrendStats": ["avg", "p(99.9)"],
            "summaryTimeUnit": "us", "tags": {"team": "shop", "query": "a=b"},
        })
    );
    assert_eq!(layer(&["--vus", "5", "--iterations", "10"]).unwrap().to_json(), json!({"vus": 5, "iterations": 10}));
    assert_eq!(
        layer(&["-s", "10s:5,20s:10", "--stage", "1m:0"]).unwrap().to_json()["stages"],
        json!([{"duration": "10s", "target": 5}, {"duration": "20s", "target": 10}, {"duration": "1m", "target": 0}])
    );
    assert_eq!(layer(&[]).unwrap(), Options::default());
}

#[test]
fn every_flag_of_the_table_exists_and_sets_its_option() {
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    for option in known::OPTIONS {
        let Some(flags) = option.flag else { continue };
        for flag in flags.split(", ") {
            let known = run.get_arguments().any(|argument| {
                argument.get_long().is_some_and(|long| format!("--{long}") == flag)
                    || argument.get_short().is_some_and(|short| format!("-{short}") == flag)
            });
            assert!(known, "{flag}");
        }
        let value = match option.name {
            "stages" => "1s:1",
            "tags" => "a=b",
            "duration" | "minIterationDuration" => "3s",
            "userAgent" => "x",
            "systemTags" => "status",
            "summaryTrendStats" => "avg",
            "summaryTimeUnit" => "ms",
            "httpVersion" => "1.1",
            "dns" => "ttl=0",
            "blockHostnames" => "*.test",
            "blacklistIPs" | "localIPs" => "10.0.0.1",
            "httpDebug" => "full",
            _ if option.shape == known::Shape::Bool => "true",
            _ => "1",
        };
        let set = layer(&[&format!("{}={value}", flag_of(option.name))]).unwrap();
        assert!(set.get(option.name).is_some(), "{}", option.name);
    }
}

#[test]
fn settings_have_defaults() {
    let expected = RunSettings {
        config: None,
        env: std::collections::BTreeMap::new(),
        data: Vec::new(),
        grants: crate::grants::Grants::none(),
        network: crate::run::NetworkFlags::default(),
        files: std::collections::BTreeMap::new(),
        allow_write: None,
        memory_limit_bytes: 64 * 1024 * 1024,
        cpu_limit: std::time::Duration::from_secs(10),
        once: false,
        seed: None,
        shards: None,
        max_series: 10_000,
        no_data: NoDataPolicy::FailUnknown,
        fail_on_check: false,
        min_rate_achieved: None,
        scale: Scale::default(),
        summary_mode: Mode::Compact,
        summary_export: None,
        results: Destination::Default,
        access: None,
        quiet: false,
        verbose: false,
        no_color: false,
    };
    assert_eq!(settings(&[]).unwrap(), expected);
}

#[test]
fn settings_take_what_was_typed() {
    let flags = [
        "-e",
        "A=1",
        "--env",
        "BASE_URL",
        "-e",
        "EMPTY=",
        "-e",
        "QUERY=a=b",
        "--data",
        "users=data/users.csv",
        "--data",
        "orders=orders.JSONL",
        "--allow-host",
        "a.test,b.test:81",
        "--allow-host",
        "10.0.0.0/8",
        "--allow-write",
        "out",
        "--memory-limit",
        "128MiB",
        "--cpu-limit",
        "500ms",
        "--seed",
        "18446744073709551615",
        "--shards",
        "4",
        "--max-series",
        "500",
        "--no-data",
        "pass",
        "--scale-load",
        "0.1",
        "--scale-time",
        "2",
        "--summary-export",
        "x.json",
        "-q",
        "--no-color",
        "-c",
        "load.json",
    ];
    let settings = parse(&flags).settings(process).unwrap();
    let env: Vec<_> = settings.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["A=1", "BASE_URL=http://localhost:8080/api", "EMPTY=", "QUERY=a=b"]);
    let data: Vec<_> = settings.data.iter().map(|file| format!("{}: {}", file.name, file.path.display())).collect();
    assert_eq!(data, ["users: data/users.csv", "orders: orders.JSONL"]);
    assert_eq!(settings.grants.to_string(), "a.test,b.test:81,10.0.0.0/8,localhost:8080");
    assert_eq!(settings.memory_limit_bytes, 128 << 20);
    assert_eq!(settings.cpu_limit.as_millis(), 500);
    assert_eq!((settings.seed, settings.shards, settings.max_series), (Some(u64::MAX), Some(4), 500));
    assert_eq!(settings.no_data, NoDataPolicy::Pass);
    assert_eq!(settings.scale, Scale::new(0.1, 2.0).unwrap());
    assert_eq!(settings.summary_mode, Mode::Full, "from K6_SUMMARY_MODE");
    assert_eq!(settings.summary_export.unwrap().to_str(), Some("x.json"));
    assert_eq!(
        (settings.config.unwrap().to_str(), settings.allow_write.unwrap().to_str()),
        (Some("load.json"), Some("out"))
    );
    assert!(settings.quiet && settings.no_color && !settings.verbose);
    let results = |flags: &[&str]| parse(flags).settings(process).unwrap().results;
    assert_eq!(results(&["--results", "a.fcr"]), Destination::File("a.fcr".into()));
    assert_eq!(results(&["--no-results"]), Destination::Nowhere);
    assert_eq!(parse(&["--no-summary"]).settings(process).unwrap().summary_mode, Mode::Disabled);
    assert_eq!(parse(&["--summary-mode", "compact"]).settings(process).unwrap().summary_mode, Mode::Compact);
}

#[test]
fn variables_stand_for_flags() {
    let set = |name: &'static str, value: &'static str| move |wanted: &str| (wanted == name).then(|| value.to_owned());
    let with = |name, value| parse(&[]).settings(set(name, value)).unwrap();
    assert_eq!(with("FLASHCROWD_SEED", "7").seed, Some(7));
    assert_eq!(with("K6_NO_SUMMARY", "true").summary_mode, Mode::Disabled);
    assert_eq!(with("K6_NO_SUMMARY", "false").summary_mode, Mode::Compact);
    assert_eq!(with("FLASHCROWD_CONFIG", "a.json").config.unwrap().to_str(), Some("a.json"));
    assert!(with("NO_COLOR", "1").no_color && with("K6_NO_COLOR", "true").no_color);
    assert!(!with("NO_COLOR", "").no_color);
    assert!(
        with("FLASHCROWD_FAIL_ON_CHECK", "T").fail_on_check && !with("FLASHCROWD_FAIL_ON_CHECK", "f").fail_on_check
    );
    assert_eq!(with("FLASHCROWD_NO_RESULTS", "1").results, Destination::Nowhere);
    assert_eq!(with("FLASHCROWD_NO_RESULTS", "0").results, Destination::Default);
    let wrong = [
        ("FLASHCROWD_FAIL_ON_CHECK", "no"),
        ("K6_NO_SUMMARY", "off"),
        ("FLASHCROWD_NO_RESULTS", "yes"),
        ("FLASHCROWD_SUMMARY_MODE", "ful"),
    ];
    let errors = wrong.map(|(name, value)| parse(&[]).settings(set(name, value)).unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"), @r#"
    FLASHCROWD_FAIL_ON_CHECK: "no" is neither true nor false; give one of them
    K6_NO_SUMMARY: "off" is neither true nor false; give one of them
    FLASHCROWD_NO_RESULTS: "yes" is neither true nor false; give one of them
    FLASHCROWD_SUMMARY_MODE: "ful" is no mode; did you mean `full`?
    "#);
}

#[test]
fn errors_name_the_flag_the_value_and_the_remedy() {
    let cases: [&[&str]; 33] = [
        &["--vus", "many"],
        &["--vus", "-5"],
        &["-d", "soon"],
        &["-i", "0"],
        &["--stage", "30s"],
        &["--stage", "30s:x"],
        &["-d", "5s", "-s", "5s:1"],
        &["--rps", "-1"],
        &["--tag", "team"],
        &["--no-setup=maybe"],
        &["--user-agent", "caf\u{e9}"],
        &["--system-tags", "statsu"],
        &["--summary-trend-stats", "mean"],
        &["--summary-time-unit", "min"],
        &["-e", "BASE-URL=x"],
        &["-e", "NOT_SET"],
        &["-e", "=x"],
        &["--scale-load", "half"],
        &["--scale-time", "0"],
        &["--data", "users.csv"],
        &["--data", "all users=users.csv"],
        &["--data", "users=users.xlsx"],
        &["--data", "users=a.csv", "--data", "users=b.csv"],
        &["--allow-host", "http://a.test"],
        &["--memory-limit", "64MB"],
        &["--memory-limit", "lots"],
        &["--memory-limit", "100"],
        &["--memory-limit", "99999999999GiB"],
        &["--cpu-limit", "1ms"],
        &["--seed", "-1"],
        &["--shards", "0"],
        &["--no-data", "ignore"],
        &["--summary-mode", "ful"],
    ];
    let errors: Vec<String> = cases
        .iter()
        .map(|flags| match layer(flags).and_then(|_| settings(flags)) {
            Err(error) => error.to_string(),
            Ok(settings) => panic!("{flags:?} should be wrong, and is {settings:?}"),
        })
        .collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    --vus: "many" is not a positive whole number; give 1 or more
    --vus: -5 is not a positive whole number; give 1 or more
    --duration: "soon" is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
    --iterations: 0 is not a positive whole number; give 1 or more
    --stage: "30s" is not a stage; write duration:target, such as 30s:100
    --stage: "30s:x" is not a stage; write duration:target, such as 30s:100
    --stage: stands beside --duration, and either says how the load runs; keep one of them
    --rps: -1 is not a whole number; give 0 or more
    --tag: "team" is not a tag; write NAME=VALUE, such as team=shop
    --no-setup: "maybe" is neither true nor false; give one of them
    --user-agent: "café" has characters that an HTTP header cannot hold; use printable ASCII
    --system-tags: `statsu` is not a system tag; use names out of: proto, subproto, status, method, url, name, group, check, error, error_code, tls_version, scenario, service, expected_response, vu, iter, ip
    --summary-trend-stats: "mean" is unknown; use avg, min, med, max, count, or p(N) with N from 0 to 100
    --summary-time-unit: "min" is unknown; use s, ms or us
    --env: "BASE-URL=x" is no variable; write NAME=VALUE, where NAME has letters, digits and `_`, and no digit in front
    --env: "NOT_SET" is not set in this process's environment; write -e NOT_SET=VALUE
    --env: "=x" is no variable; write NAME=VALUE, where NAME has letters, digits and `_`, and no digit in front
    --scale-load: "half" is no factor; give a number above 0, such as 0.1 for a tenth
    --scale-time: 0 is no factor; give a number above 0, such as 0.1 for a tenth
    --data: "users.csv" is no table; write NAME=FILE, such as users=users.csv, where NAME has letters, digits, `_` and `-`
    --data: "all users=users.csv" is no table; write NAME=FILE, such as users=users.csv, where NAME has letters, digits, `_` and `-`
    --data: "users=users.xlsx" has no ending that says what it is; give a file that ends in .csv, .json (an array of objects), .jsonl or .ndjson (an object per line)
    --data: "users=b.csv" is a second table `users`; give each its own name
    --allow-host: "http://a.test" is a URL; give its host alone: a.test:80
    --memory-limit: "64MB" has the unit `MB`, which is read in two ways; write 64MiB
    --memory-limit: "lots" is not a size; write bytes, or a whole number with KiB, MiB or GiB, such as 64MiB
    --memory-limit: "100" is out of range; give a size from 1MiB to 4GiB
    --memory-limit: "99999999999GiB" is too large; give a size such as 64MiB
    --cpu-limit: "1ms" is too short; give 10ms or more
    --seed: "-1" is no seed; give a whole number from 0 to 18446744073709551615
    --shards: "0" is out of range; give a whole number from 1 to 1024
    --no-data: "ignore" is unknown; use fail or pass
    --summary-mode: "ful" is no mode; did you mean `full`?
    "#);
}

#[test]
fn sizes_are_binary() {
    for (text, bytes) in
        [("1048576", 1 << 20), ("64MiB", 64 << 20), ("512kib", 512 << 10), ("2 GiB", 2 << 30), ("7B", 7)]
    {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
    }
    for text in ["", "MiB", "1.5GiB", "-1", "1TiB", "64MB", "1 m"] {
        assert!(parse_size(text).is_err(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_flag_value_panics(text in "\\PC*") {
        let args = RunArgs {
            data: vec![text.clone()],
            allow_hosts: vec![text.clone()],
            memory_limit: Some(text.clone()),
            cpu_limit: Some(text.clone()),
            options: OptionArgs {
                vus: Some(text.clone()),
                stages: vec![text.clone()],
                scale_load: Some(text.clone()),
                env: vec![text.clone()],
                tags: vec![text.clone()],
                ..OptionArgs::default()
            },
            ..RunArgs::default()
        };
        let _ = args.options.layer();
        let _ = args.options.scale();
        let _ = args.settings(|_| None);
        let _ = parse_size(&text);
    }
}
