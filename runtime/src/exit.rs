//! Exit codes: k6's, so that a pipeline which knows k6 knows this.

/// What the process says when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The test ran, and no threshold was crossed.
    Passed = 0,
    /// The load or its output failed for a reason that has no code of its own.
    Failed = 1,
    /// A threshold was crossed, or a check failed with `--fail-on-check`.
    ThresholdsCrossed = 99,
    /// `setup` took longer than `setupTimeout`.
    SetupTimeout = 100,
    /// `teardown` took longer than `teardownTimeout`.
    TeardownTimeout = 101,
    /// `handle-summary` took too long.
    OtherTimeout = 102,
    /// Somebody stopped the load: by the API, a command that asks it, or a key.
    StoppedByControl = 103,
    /// What was given cannot be run: nothing was started.
    InvalidConfig = 104,
    /// SIGINT or SIGTERM.
    Signal = 105,
    /// `--address` cannot be listened at: nothing was started.
    CannotListen = 106,
    /// `describe`, `setup` or `teardown` failed.
    ScenarioException = 107,
    /// The scenario called `abort`.
    AbortedByScenario = 108,
    /// A mistake in this program.
    Panic = 109,
    /// The scenario called `fail` for the whole test.
    FailedByScenario = 110,
    /// Less of the load was started than `--min-rate-achieved` wants.
    RateNotReached = 111,
}

impl Exit {
    /// What a process with this exit code said.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        let all = [
            Self::Passed,
            Self::Failed,
            Self::ThresholdsCrossed,
            Self::SetupTimeout,
            Self::TeardownTimeout,
            Self::OtherTimeout,
            Self::StoppedByControl,
            Self::InvalidConfig,
            Self::Signal,
            Self::CannotListen,
            Self::ScenarioException,
            Self::AbortedByScenario,
            Self::Panic,
            Self::FailedByScenario,
            Self::RateNotReached,
        ];
        all.into_iter().find(|exit| *exit as u8 == code)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
