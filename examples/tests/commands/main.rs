//! `platform demo` and `platform load`, as a user runs them.

mod demo;
mod endings;
mod load;

use std::process::{Command, Stdio};

use tokio::sync::Mutex;

/// One platform at a time: on brokers that are given by address, services of one would get the orders of another.
static TURN: Mutex<()> = Mutex::const_new(());

/// Without what the environment of a test may say; Kafka is the one inside the program.
fn command(program: &str, command: &str) -> Command {
    let mut platform = Command::new(program);
    platform.arg(command);
    for variable in ["", "_TRACES", "_METRICS", "_LOGS"] {
        platform.env_remove(format!("OTEL_EXPORTER_OTLP{variable}_ENDPOINT"));
    }
    platform.env_remove("TRACED_KAFKA_URL").stdin(Stdio::null());
    platform
}
