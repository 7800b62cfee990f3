//! Keeps packages from starting services while they are installed.
//!
//! Debian's package scripts ask `/usr/sbin/policy-rc.d` first, and 101 means no. One that is there and says no stays as it is;
//! another one is set aside and put back. A guard does that, and where this program is killed, a shell that waits for its end.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const PATH: &str = "/usr/sbin/policy-rc.d";
const DENIED: i32 = 101;
/// How often a policy that is busy is asked, and what lies between.
const ASKED_AT_MOST: usize = 200;
const BUSY: Duration = Duration::from_millis(5);
const SCRIPT: &str =
    "#!/bin/sh\n# Written by `cargo xtask` while it installs packages, and removed afterwards.\nexit 101\n";
/// Waits for the end of a pipe, that is, of xtask.
const PUT_BACK: &str = r#"read -r _; if [ -e "$2" ]; then mv -f -- "$2" "$1"; else rm -f -- "$1"; fi"#;

/// While it lives, no package starts a service.
#[derive(Debug)]
pub(crate) struct NoServices(Option<Changed>);

#[derive(Debug)]
struct Changed {
    policy: PathBuf,
    set_aside: PathBuf,
    watchdog: Child,
}

impl NoServices {
    pub(crate) fn begin() -> io::Result<Self> {
        Self::begin_at(Path::new(PATH))
    }

    fn begin_at(policy: &Path) -> io::Result<Self> {
        let set_aside = policy.with_extension("d.before-xtask");
        // An xtask that was killed together with its shell may have left its own, which says no as well.
        let left_behind = fs::read_to_string(policy).is_ok_and(|text| text == SCRIPT);
        if !left_behind && denies(policy) {
            return Ok(Self(None));
        }
        let exists = !left_behind && policy.exists();
        if exists {
            fs::rename(policy, &set_aside)?;
        }
        let watchdog = Command::new("/bin/sh")
            .args(["-c", PUT_BACK, "put-back"])
            .args([policy, &set_aside])
            .stdin(Stdio::piped())
            // Ctrl-C must not end it.
            .process_group(0)
            .spawn();
        let watchdog = match watchdog {
            Ok(watchdog) => watchdog,
            Err(error) => {
                if exists {
                    fs::rename(&set_aside, policy)?;
                }
                return Err(error);
            }
        };
        let changed = Changed { policy: policy.to_owned(), set_aside, watchdog };
        fs::write(policy, SCRIPT)?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755))?;
        Ok(Self(Some(changed)))
    }

    /// What keeps services from starting.
    pub(crate) fn describe(&self) -> String {
        match &self.0 {
            Some(changed) => format!("no service is started: {} says so for the time being", changed.policy.display()),
            None => format!("no service is started: {PATH} says so already"),
        }
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        // The shell does it, here as when this program is killed: one way, and it is the one that tests see.
        drop(self.watchdog.stdin.take());
        let done = self.watchdog.wait().is_ok_and(|status| status.success());
        if !done {
            eprintln!(
                "xtask: {} could not be put back; {} has what was there",
                self.policy.display(),
                self.set_aside.display()
            );
        }
    }
}

/// What a policy answers about a start.
fn denies(policy: &Path) -> bool {
    let null = Stdio::null;
    for _ in 0..ASKED_AT_MOST {
        let mut question = Command::new(policy);
        question.args(["a-service", "start"]).stdin(null()).stdout(null()).stderr(null());
        match question.status() {
            // It was written a moment ago, and a process that another thread is about to start has it open still.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => thread::sleep(BUSY),
            status => return status.is_ok_and(|status| status.code() == Some(DENIED)),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_policy(script: Option<&str>) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let policy = directory.path().join("policy-rc.d");
        if let Some(script) = script {
            fs::write(&policy, script).expect("written");
            fs::set_permissions(&policy, fs::Permissions::from_mode(0o700)).expect("executable");
        }
        (directory, policy)
    }

    fn files(directory: &tempfile::TempDir) -> usize {
        fs::read_dir(directory).expect("a directory").count()
    }

    #[test]
    fn services_are_denied_while_the_guard_lives_and_nothing_stays() {
        let (directory, policy) = with_policy(None);
        let guard = NoServices::begin_at(&policy).expect("a guard");
        assert!(denies(&policy));
        drop(guard);
        assert_eq!(files(&directory), 0);
    }

    #[test]
    fn a_policy_that_denies_is_left_alone() {
        let script = "#!/bin/sh\nexit 101 # mine\n";
        let (directory, policy) = with_policy(Some(script));
        let guard = NoServices::begin_at(&policy).expect("a guard");
        assert!(guard.0.is_none());
        drop(guard);
        assert_eq!((fs::read_to_string(&policy).expect("there"), files(&directory)), (script.to_owned(), 1));
    }

    #[test]
    fn a_policy_that_allows_is_put_back_as_it_was() {
        let script = "#!/bin/sh\nexit 0 # mine\n";
        let (directory, policy) = with_policy(Some(script));
        let guard = NoServices::begin_at(&policy).expect("a guard");
        assert!(denies(&policy));
        drop(guard);
        assert_eq!((fs::read_to_string(&policy).expect("there"), files(&directory)), (script.to_owned(), 1));
        assert_eq!(policy.metadata().expect("there").permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_a_killed_xtask_left_is_put_right_by_the_next() {
        let (directory, policy) = with_policy(Some(SCRIPT));
        let set_aside = policy.with_extension("d.before-xtask");
        fs::write(&set_aside, "mine").expect("written");
        drop(NoServices::begin_at(&policy).expect("a guard"));
        assert_eq!((fs::read_to_string(&policy).expect("there"), files(&directory)), ("mine".to_owned(), 1));
    }
}
