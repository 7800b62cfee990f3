//! Ends a process and removes its directory when this process is gone without having done so: Ctrl-C, `kill -9`, an abort, or a
//! broker in a `static`, which is never dropped.
//!
//! It is a shell that waits for the end of a pipe. The system closes the other end whenever this process ends, however it ends.

use std::{
    io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::Pid;

const SCRIPT: &str =
    r#"read -r _; kill -s KILL -- "-$1" 2>/dev/null; rm -rf -- "$2" 2>/dev/null || { sleep 1; rm -rf -- "$2"; }"#;

#[derive(Debug)]
pub(crate) struct Watchdog(Child);

impl Watchdog {
    /// Watches over a process group and the directory that it lives in.
    pub(crate) fn start(group: Pid, directory: &Path) -> io::Result<Self> {
        Command::new("/bin/sh")
            .args(["-c", SCRIPT, "watchdog", &group.as_raw_nonzero().to_string()])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C must not end it.
            .process_group(0)
            .spawn()
            .map(Self)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // Before the pipe is closed, which would set it off: the group's number may be somebody else's by now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
impl Watchdog {
    pub(crate) fn close_pipe(&mut self) {
        drop(self.0.stdin.take());
    }
}
