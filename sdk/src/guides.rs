//! The guides in `docs/`: their Rust examples compile as documentation tests of this crate.

macro_rules! guides {
    ($($(#[$when:meta])* $name:ident = $path:literal;)+) => {$(
        $(#[$when])*
        #[doc = include_str!(concat!("../../docs/", $path))]
        struct $name;
    )+};
}

// `runtime/tests/it/docs.rs` reads this list: a guide with Rust in it must be here.
guides! {
    FirstScenario = "first-scenario.md";
    LifeCycle = "life-cycle.md";
    LiveControl = "live-control.md";
    Scenarios = "scenarios.md";
    Data = "data.md";
    FromK6 = "from-k6.md";
    Http = "http.md";
    #[cfg(feature = "grpc")]
    Grpc = "grpc.md";
    WebSocket = "websocket.md";
    Streaming = "streaming.md";
}
