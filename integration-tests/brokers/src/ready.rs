//! Waiting until a server's log says that it takes connections. The log's end is in the error when it never does.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// RabbitMQ takes 6 s on an idle machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);
const LAST_LINES: usize = 20;

/// Waits until `line` is in `log`, for as long as `alive` says so, and no longer than `limit`.
///
/// `log` gives what was written since the server was last started: an earlier start's line must not count.
pub(crate) fn wait_for_line(
    line: &str,
    limit: Duration,
    mut log: impl FnMut() -> Result<String>,
    mut alive: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let start = Instant::now();
    loop {
        // In this order: the last words of a server that died are in the log by then.
        let lives = alive()?;
        let text = log()?;
        if text.contains(line) {
            return Ok(());
        }
        if !lives {
            bail!("it ended before its log said {line:?}; the log ends with:\n{}", last_lines(&text));
        }
        if start.elapsed() > limit {
            bail!("its log did not say {line:?} within {} s; it ends with:\n{}", limit.as_secs(), last_lines(&text));
        }
        thread::sleep(POLL);
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let skipped = lines.len().saturating_sub(LAST_LINES);
    lines.iter().skip(skipped).fold(String::new(), |all, line| all + "  " + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_ends_the_wait() {
        let mut texts = ["", "starting\n", "starting\nready now\n"].into_iter();
        wait_for_line("ready", LIMIT, || Ok(texts.next().unwrap_or_default().to_owned()), || Ok(true)).expect("ready");
    }

    #[test]
    fn a_server_that_ends_fails_with_its_last_lines() {
        let log = (0..100).map(|line| format!("line {line}\n")).collect::<String>();
        let error = wait_for_line("ready", LIMIT, || Ok(log.clone()), || Ok(false)).expect_err("it ended").to_string();
        assert!(
            error.contains("  line 99\n") && error.contains("  line 80\n") && !error.contains("line 79"),
            "{error}"
        );
    }

    #[test]
    fn silence_fails_after_the_limit() {
        let error =
            wait_for_line("ready", Duration::ZERO, || Ok("hm\n".to_owned()), || Ok(true)).expect_err("too late");
        assert!(error.to_string().contains("within 0 s"), "{error}");
    }
}
