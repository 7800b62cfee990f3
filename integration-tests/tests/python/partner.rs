//! One run of a Python script, and what it reported.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::time::timeout;

use crate::environment::python;

/// A script takes a second; one that takes this long waits for a message that will not come.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Reports(Vec<Value>);

/// Runs a script of a client's folder to its end, on the broker with this address; one that hangs is killed, and an error.
pub(crate) async fn run(interpreter: &Path, broker: &str, script: &str, arguments: &[&str]) -> Result<Reports> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    // The address can hold a password, and everyone can read a command line.
    let mut command = python(interpreter);
    command.arg(scripts.join(script)).args(arguments).env("BROKER", broker);
    // For what all scripts share.
    let run = command.env("PYTHONPATH", scripts).output();
    // Dropped by the timeout, the child is killed.
    let output = timeout(LIMIT, run).await.with_context(|| format!("{script} {arguments:?} does not end"))??;
    let (reports, errors) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{script} fails ({}):\n{reports}{errors}", output.status);
    // The instrumentation logs what goes wrong inside it, and goes on.
    ensure!(errors.is_empty(), "{script} complains:\n{errors}");
    Ok(Reports(reports.lines().map(serde_json::from_str).collect::<serde_json::Result<_>>()?))
}

impl Reports {
    /// The span with this name, as the partner's SDK exported it.
    ///
    /// The instrumentation wraps a blocking channel and the channel inside it, so that publishing makes two spans, one in the other:
    /// the inner one is what the message carries.
    pub(crate) fn span(&self, name: &str) -> Result<&Value> {
        let inside = |span: &Value| self.spans(name).any(|other| other["parent_id"] == span["span_id"]);
        match self.spans(name).filter(|span| !inside(span)).collect::<Vec<_>>()[..] {
            [span] => Ok(span),
            _ => bail!("no one span {name:?}: {self:#?}"),
        }
    }

    /// Whether the parent of a span, or its parent, and so on, is the span with this name.
    pub(crate) fn is_below(&self, span: &Value, name: &str) -> bool {
        let is_parent = |other: &&Value| other["report"] == "span" && other["span_id"] == span["parent_id"];
        self.0.iter().find(is_parent).is_some_and(|parent| parent["name"] == name || self.is_below(parent, name))
    }

    fn spans(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |report| report["report"] == "span" && report["name"] == name)
    }

    /// The one message, as a handler in Python saw it.
    pub(crate) fn message(&self) -> Result<&Value> {
        match self.messages()[..] {
            [message] => Ok(message),
            _ => bail!("no one message: {self:#?}"),
        }
    }

    /// All messages, in the order in which they came.
    pub(crate) fn messages(&self) -> Vec<&Value> {
        self.0.iter().filter(|report| report["report"] == "message").collect()
    }
}
