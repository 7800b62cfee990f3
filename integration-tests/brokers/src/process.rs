//! One process that does not outlive its value: a server, another one that the server needs, or what a test or the demo runs beside them.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::watchdog::Watchdog;

const POLL: Duration = Duration::from_millis(20);
const CHILDREN_LIMIT: Duration = Duration::from_secs(5);

/// A running process, in a process group of its own so that Ctrl-C is not for it; killed when dropped, and also when this process
/// is gone without having dropped it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
    _watchdog: Watchdog,
}

impl Process {
    /// Starts a command in `directory`, which is removed where this process ends without having done so itself. Its output is appended
    /// to `log`.
    pub fn start(command: &mut Command, directory: &Path, log: &Path) -> Result<Self> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = command
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let pid = Pid::from_child(&child);
        match Watchdog::start(pid, directory) {
            Ok(watchdog) => Ok(Self { child, pid, _watchdog: watchdog }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error).context("cannot start /bin/sh")
            }
        }
    }

    /// The process's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs.
    pub fn is_alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Asks it to end (SIGTERM), and kills it where it does not within `limit`: then there is no status.
    pub fn terminate(mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let start = Instant::now();
        // Not yet waited for: the number is still its own.
        if self.is_alive()? {
            kill_process(self.pid, Signal::TERM)?;
        }
        while start.elapsed() < limit && self.is_alive()? {
            thread::sleep(POLL);
        }
        Ok(self.child.try_wait()?)
    }
}

impl Drop for Process {
    /// SIGKILL, for its children too.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(self.pid, Signal::KILL);
            let _ = self.child.wait();
            // Its children are not ours to wait for, and hold their ports until the kernel has ended them.
            let start = Instant::now();
            while start.elapsed() < CHILDREN_LIMIT && runs_in_group(self.pid) {
                thread::sleep(POLL);
            }
        }
    }
}

/// Whether a process of this group still runs; one that only nobody has waited for does not. Without `/proc` nobody knows.
fn runs_in_group(group: Pid) -> bool {
    let group = group.as_raw_nonzero().to_string();
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    processes.filter_map(|process| fs::read_to_string(process.ok()?.path().join("stat")).ok()).any(|stat| {
        // `pid (name) state parent group ..`: the name may have anything in it.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let state = fields.next();
        fields.nth(1) == Some(&group) && !matches!(state, Some("Z" | "X"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (tempfile::TempDir, Process) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new("/bin/sh");
        let process = Process::start(command.args(["-c", script]), directory.path(), &directory.path().join("log"))
            .expect("a process");
        (directory, process)
    }

    #[test]
    fn a_dropped_process_is_gone_with_its_children() {
        let (_directory, process) = shell("sleep 1000 & wait");
        let group = process.pid;
        assert!(runs_in_group(group));
        drop(process);
        assert!(!runs_in_group(group));
    }

    /// With a trap for SIGTERM: not before the shell is at it, which it says.
    fn shell_with_trap(action: &str) -> (tempfile::TempDir, Process) {
        let (directory, process) = shell(&format!("trap '{action}' TERM; echo ready; while :; do sleep 0.01; done"));
        while !fs::read_to_string(directory.path().join("log")).expect("a log").contains("ready") {
            thread::sleep(POLL);
        }
        (directory, process)
    }

    #[test]
    fn a_process_that_ignores_the_request_to_end_is_killed() {
        let (_directory, process) = shell_with_trap("");
        let pid = process.pid;
        assert!(process.terminate(Duration::from_millis(200)).expect("it ends").is_none());
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[test]
    fn a_process_that_ends_when_it_is_asked_has_a_status() {
        let (_directory, process) = shell_with_trap("exit 3");
        let status = process.terminate(CHILDREN_LIMIT).expect("it ends");
        assert_eq!(status.and_then(|status| status.code()), Some(3));
    }

    /// What happens to a broker when the test's process is killed: here the watchdog's pipe ends, and nothing else.
    #[test]
    fn the_watchdog_ends_a_process_that_nobody_dropped() {
        let (directory, mut process) = shell("sleep 1000");
        let mut stray = Command::new("sleep").arg("1000").process_group(0).spawn().expect("a process");
        let mut watchdog =
            Watchdog::start(Pid::from_child(&stray), &directory.path().join("data")).expect("a watchdog");
        watchdog.close_pipe();
        stray.wait().expect("it was ended");
        assert!(process.is_alive().expect("a state"), "another process was ended too");
    }
}
