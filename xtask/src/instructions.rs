//! The guard of the hot paths: valgrind counts their instructions, which noise cannot fool, and the counts are held against committed
//! ones.
//!
//! Each bench runs twice, under callgrind, for two numbers of times; the difference of the counts, divided by that of the numbers, is
//! what one time costs. Only the main thread counts: others compile the module, or sleep.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Map, Value, json};

use crate::guests;
use xtask::shell::{Failure, cargo, command, has, root, say, target_dir};

const FIGURES: &str = "runtime/benches/instructions.json";
/// A count is repeatable to a few thousandths; what differs by more was changed.
const TOLERANCE_PERCENT: f64 = 2.0;
/// The dependencies are those of the tests, so that nothing is compiled that is not there already; the runtime itself is optimised.
const OPTIMISED: [&str; 4] = ["opt-level=3", "codegen-units=1", "debug-assertions=false", "overflow-checks=false"];
/// libc's copying depends on the processor: that must not count.
const ENVIRONMENT: [(&str, &str); 1] =
    [("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM,-AVX_Fast_Unaligned_Load")];

/// Where what callgrind found is kept.
fn folder() -> PathBuf {
    target_dir().join("instructions")
}

/// Counts, and compares; or writes the counts down, if they are to be accepted.
pub(crate) fn run_all(accept: bool) -> Result<(), Failure> {
    if !has("valgrind", &["--version"]) || !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("NOT TESTED: instruction counts of the hot paths, which need valgrind on x86-64 Linux; install it (Debian: \
                    `apt-get install valgrind`) and run `cargo xtask instructions`"
            .into());
    }
    guests::build_test_modules()?;
    let bench = build()?;
    let committed = read_figures()?;
    let counted = count_all(&bench)?;
    if accept {
        let figures: Map<String, Value> = counted.iter().map(|(name, count)| (name.clone(), json!(count))).collect();
        let text = serde_json::to_string_pretty(&json!({ "instructions": figures }))?;
        std::fs::write(root().join(FIGURES), text + "\n")?;
        say(&format_args!("{FIGURES} is written; commit it with the change that it belongs to"));
        return Ok(());
    }
    let problems = compare(&counted, &committed);
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

/// The program that runs the benches.
fn build() -> Result<PathBuf, Failure> {
    // The whole workspace is selected, as in the tests: other features would mean other dependencies.
    let mut build = cargo(&["build", "--workspace", "--bench", "instructions", "--message-format", "json"]);
    for setting in OPTIMISED {
        build.args(["--config", &format!("profile.dev.package.flashcrowd-runtime.{setting}")]);
    }
    // An incremental build is cut into many units, and optimised less.
    let output = build.env("CARGO_INCREMENTAL", "0").stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        // The compiler's messages are in the output that was asked for.
        let messages = String::from_utf8_lossy(&output.stdout);
        let rendered = messages.lines().filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            message["message"]["rendered"].as_str().map(str::to_owned)
        });
        return Err(format!("the benches cannot be built:\n{}", rendered.collect::<String>()).into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let named = message["target"]["name"] == "instructions";
        message["executable"].as_str().filter(|_| named).map(PathBuf::from)
    };
    messages.lines().find_map(executable).ok_or_else(|| "cargo did not say where the benches are".into())
}

fn read_figures() -> Result<Map<String, Value>, Failure> {
    match std::fs::read_to_string(root().join(FIGURES)) {
        Ok(text) => {
            let figures: Value = serde_json::from_str(&text).map_err(|error| format!("{FIGURES}: {error}"))?;
            figures["instructions"].as_object().cloned().ok_or_else(|| format!("{FIGURES}: no `instructions`").into())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(format!("{FIGURES}: {error}").into()),
    }
}

/// What each bench costs, by name.
fn count_all(bench: &Path) -> Result<Vec<(String, u64)>, Failure> {
    std::fs::create_dir_all(folder())?;
    let list = String::from_utf8(command(bench).arg("--list").output()?.stdout)?;
    let mut counted = Vec::new();
    for line in list.lines() {
        let [name, few, many] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("the benches list {line:?}").into());
        };
        let (few, many): (u64, u64) = (few.parse()?, many.parse()?);
        let before = count(bench, name, few, "few")?;
        let after = count(bench, name, many, "many")?;
        counted.push((name.to_owned(), after.saturating_sub(before) / (many - few)));
    }
    if counted.is_empty() { Err("the benches list nothing".into()) } else { Ok(counted) }
}

/// The instructions of the main thread.
fn count(bench: &Path, name: &str, times: u64, which: &str) -> Result<u64, Failure> {
    let file = folder().join(format!("{name}.{which}"));
    let module = target_dir().join("guests").join(guests::TARGET).join("release/post_json.wasm");
    let mut valgrind = command("valgrind");
    valgrind.args(["--tool=callgrind", "--separate-threads=yes", "--cache-sim=no"]);
    valgrind.arg(format!("--callgrind-out-file={}", file.display()));
    valgrind.arg(bench).args([name, &times.to_string()]).arg(module).envs(ENVIRONMENT);
    let output = valgrind.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{name}: valgrind ended with {}:\n{said}", output.status).into());
    }
    let main_thread = main_thread(name, which);
    let profile = std::fs::read_to_string(&main_thread)?;
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.ok_or_else(|| format!("{}: no totals", main_thread.display()).into())
}

/// What callgrind writes of the main thread.
fn main_thread(name: &str, which: &str) -> PathBuf {
    folder().join(format!("{name}.{which}-01"))
}

/// Prints a table; gives a message for each bench that is not as committed, better ones included: the next one that is worse would
/// hide behind them.
fn compare(counted: &[(String, u64)], committed: &Map<String, Value>) -> Vec<String> {
    let mut problems = Vec::new();
    say(&format_args!("   {:<24} {:>12} {:>12}  change", "instructions each", "committed", "now"));
    for (name, now) in counted {
        let Some(before) = committed.get(name).and_then(Value::as_u64) else {
            say(&format_args!("   {name:<24} {:>12} {now:>12}", "-"));
            problems.push(format!(
                "{name}: {now} instructions, and nothing is committed; run `cargo xtask instructions --accept`"
            ));
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let percent = (*now as f64 / before as f64 - 1.0) * 100.0;
        say(&format_args!("   {name:<24} {before:>12} {now:>12}  {percent:+.2}%"));
        if percent.abs() <= TOLERANCE_PERCENT {
            continue;
        }
        let change = if percent > 0.0 { "WORSE" } else { "better" };
        let explained = if percent > 0.0 {
            format!(
                "to see where they go, run `callgrind_annotate --inclusive=yes {}`; if it is worth it, accept the figures",
                main_thread(name, "many").display()
            )
        } else {
            "accept the figures, so that the guard stays tight".to_owned()
        };
        problems.push(format!(
            "{name} is {change}: {now} instructions instead of the committed {before} ({percent:+.2}%, tolerated are \
             {TOLERANCE_PERCENT}%); {explained} with `cargo xtask instructions --accept`"
        ));
    }
    for name in committed.keys().filter(|name| counted.iter().all(|(counted, _)| counted != *name)) {
        problems
            .push(format!("{name}: committed, but there is no such bench; run `cargo xtask instructions --accept`"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(now: u64) -> Vec<String> {
        let Value::Object(committed) = json!({ "iteration": 1_000 }) else { panic!("an object") };
        compare(&[("iteration".to_owned(), now)], &committed)
    }

    #[test]
    fn within_the_tolerance_nothing_is_said() {
        assert!(problems(981).is_empty() && problems(1_000).is_empty() && problems(1_019).is_empty());
    }

    #[test]
    fn a_worse_figure_names_the_bench_the_figures_and_the_commands() {
        let [problem] = &problems(1_021)[..] else { panic!("one problem") };
        for part in
            ["iteration is WORSE", "1021", "committed 1000", "+2.10%", "callgrind_annotate", "iteration.many-01"]
        {
            assert!(problem.contains(part), "{part} is missing: {problem}");
        }
    }

    #[test]
    fn a_better_figure_is_to_be_accepted() {
        let [problem] = &problems(979)[..] else { panic!("one problem") };
        assert!(problem.contains("iteration is better") && problem.contains("--accept"), "{problem}");
    }

    #[test]
    fn benches_and_figures_must_be_the_same_set() {
        let Value::Object(committed) = json!({ "gone": 1 }) else { panic!("an object") };
        let problems = compare(&[("new".to_owned(), 1)], &committed);
        assert!(problems[0].starts_with("new: ") && problems[1].starts_with("gone: "), "{problems:?}");
    }
}
