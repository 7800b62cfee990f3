//! Waiting until a server takes connections: its log says so, and then it answers. The log's end is in the error when it never
//! says so.

use std::{
    net::{TcpStream, ToSocketAddrs as _},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// RabbitMQ takes 6 s on an idle machine, Kafka after a crash 14 s.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// After the log's line it is a matter of milliseconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
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

/// Asks at `host:port` until there is an answer, through everything that is on a client's way too: a container's port is open
/// before there is anything behind it.
pub(crate) fn wait_for_answer(place: &str, ask: fn(TcpStream) -> Result<()>) -> Result<()> {
    let start = Instant::now();
    loop {
        match ask_at(place, ask) {
            Ok(()) => return Ok(()),
            Err(error) if start.elapsed() > ANSWER_LIMIT => {
                return Err(error.context(format!("its log says that it is ready, and it does not answer at {place}")));
            }
            Err(_) => thread::sleep(POLL),
        }
    }
}

/// Asks once at `host:port`.
pub(crate) fn ask_at(place: &str, ask: fn(TcpStream) -> Result<()>) -> Result<()> {
    let address = place.to_socket_addrs()?.next().context("the name has no address")?;
    ask(TcpStream::connect_timeout(&address, CONNECT_LIMIT)?)
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
