//! Does what a plan says about packages: names them, asks, installs, and names what stays behind.

use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use test_brokers::{Environment, Kind, Way};

use crate::{apt, facts, plan::Plan, policy::NoServices, steps::Steps};

pub(crate) fn install(plan: &Plan, kinds: &[&Kind], yes: bool, steps: &Steps) -> Result<(), String> {
    if plan.servers.is_empty() && plan.python.is_empty() {
        steps.say("nothing is missing");
        return Ok(());
    }
    steps.say("apt-get update");
    // Old lists may do; if they do not, the error says more than this one.
    apt::update().unwrap_or_else(|error| steps.say(&error));
    let all = [&plan.servers, plan.python].concat();
    // One list and one question; without Python only where it alone cannot be had.
    let (packages, new) = match apt::simulate(&all) {
        Ok(new) => (all, new),
        Err(error) if plan.servers.is_empty() => {
            steps.say(&without_python(&error));
            return Ok(());
        }
        Err(error) if plan.python.is_empty() => return Err(error),
        Err(error) => {
            let new = apt::simulate(&plan.servers)?;
            steps.say(&without_python(&error));
            (plan.servers.clone(), new)
        }
    };
    match by_apt(&packages, &new, units_to_come(kinds, plan), yes, steps) {
        Err(error) if plan.servers.is_empty() => steps.say(&without_python(&error)),
        done => done?,
    }
    if !plan.python.is_empty() && !facts::python_makes_environments() {
        steps.say("the python3 on PATH still cannot make a virtual environment");
    }
    Ok(())
}

/// What processes of this machine need besides packages.
pub(crate) fn prepare(plan: &Plan, kinds: &[&Kind], environment: &Environment, steps: &Steps) -> Result<(), String> {
    for kind in kinds.iter().filter(|kind| plan.way(kind) == Some(Way::Local)) {
        if let Some(prepare) = kind.prepare {
            prepare(environment, &|line| steps.say(line))?;
        }
    }
    Ok(())
}

fn without_python(error: &str) -> String {
    format!("{error}; the tests with partners in Python will say that they did not run")
}

fn by_apt(packages: &[&str], new: &[String], units: Vec<&str>, yes: bool, steps: &Steps) -> Result<(), String> {
    let names = packages.join(" ");
    steps.say(&format!("missing: {names}; apt-get would install {} packages: {}", new.len(), new.join(" ")));
    if !yes && !agreed()? {
        return Err(format!("not installed, as you said: {names}"));
    }
    let users = users();
    {
        let no_services =
            NoServices::begin().map_err(|error| format!("cannot keep services from starting: {error}"))?;
        steps.say(&no_services.describe());
        apt::install(packages)?;
    }
    disable(&units, steps);
    left_behind(packages, new, &users, steps);
    Ok(())
}

/// Asks on a terminal; without one there is nobody to ask.
fn agreed() -> Result<bool, String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Ok(true);
    }
    print!("Install them? [Y/n] ");
    let mut answer = String::new();
    io::stdout()
        .flush()
        .and_then(|()| stdin.lock().read_line(&mut answer))
        .map_err(|error| format!("cannot ask: {error}"))?;
    Ok(means_yes(&answer))
}

/// An empty line means yes; the end of input, which has not even that, means no.
fn means_yes(answer: &str) -> bool {
    answer.ends_with('\n') && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes")
}

/// Those units of the kinds to install that are not on this machine yet: only they are ours to disable.
fn units_to_come(kinds: &[&Kind], plan: &Plan) -> Vec<&'static str> {
    let here = |unit: &&str| {
        ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"]
            .iter()
            .any(|directory| Path::new(directory).join(unit).exists())
    };
    let to_install = |kind: &&&Kind| {
        kind.programs.iter().flat_map(|program| program.packages).any(|package| plan.servers.contains(package))
    };
    kinds.iter().filter(to_install).flat_map(|kind| kind.units).copied().filter(|unit| !here(unit)).collect()
}

/// Packages enable their services for the next boot.
fn disable(units: &[&str], steps: &Steps) {
    if units.is_empty() {
        return;
    }
    let status = Command::new("systemctl")
        .args(["disable", "--quiet"])
        .args(units)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => {
            steps.say(&format!("not started, and disabled for the next boot: {}", units.join(" ")));
        }
        // No systemd, no next boot of these.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        _ => steps.say(&format!("not started, but perhaps at the next boot: {}", units.join(" "))),
    }
}

fn left_behind(packages: &[&str], new: &[String], users_before: &[String], steps: &Steps) {
    steps.say(&format!("left behind: {} packages, {}", new.len(), new.join(" ")));
    let new_users: Vec<_> = users().into_iter().filter(|user| !users_before.contains(user)).collect();
    if !new_users.is_empty() {
        steps.say(&format!("left behind: system users, {}", new_users.join(" ")));
    }
    steps.say(&format!("`apt-get purge --auto-remove {}` takes the packages away again", packages.join(" ")));
}

fn users() -> Vec<String> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    users.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_means_yes_and_the_end_of_input_means_no() {
        for (answer, yes) in
            [("\n", true), ("y\n", true), ("Yes\n", true), ("n\n", false), ("what\n", false), ("", false)]
        {
            assert_eq!(means_yes(answer), yes, "{answer:?}");
        }
    }
}
