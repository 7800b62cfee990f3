//! apt-get: what it would install, and the installation.

use std::{
    io,
    process::{Command, Stdio},
};

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    // A package that asks questions, or needrestart that restarts services, would hold up or harm a machine that nobody watches.
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("NEEDRESTART_SUSPEND", "1")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

/// Fetches the lists of packages.
pub(crate) fn update() -> Result<(), String> {
    run(apt_get().args(["update", "-qq"]), "apt-get update")
}

/// All packages that an installation would bring.
pub(crate) fn simulate(packages: &[&str]) -> Result<Vec<String>, String> {
    let output = apt_get()
        .args(["install", "--simulate", "--no-install-recommends"])
        .args(packages)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| cannot_run(&error))?;
    if !output.status.success() {
        return Err(format!("apt-get cannot install {} ({})", packages.join(" "), output.status));
    }
    Ok(new_packages(&String::from_utf8_lossy(&output.stdout)))
}

/// Installs; apt-get's output is passed on.
pub(crate) fn install(packages: &[&str]) -> Result<(), String> {
    run(
        apt_get().args(["install", "-y", "-q", "--no-install-recommends"]).args(packages),
        &format!("apt-get install {}", packages.join(" ")),
    )
}

fn run(command: &mut Command, name: &str) -> Result<(), String> {
    let status = command.status().map_err(|error| cannot_run(&error))?;
    if status.success() { Ok(()) } else { Err(format!("{name} ended with {status}")) }
}

fn cannot_run(error: &io::Error) -> String {
    format!("cannot run apt-get: {error}")
}

/// `Inst NAME (VERSION ...)` is a new one, `Inst NAME [OLD] (VERSION ...)` an upgrade.
fn new_packages(simulation: &str) -> Vec<String> {
    simulation
        .lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split_once(' '))
        .filter(|(_, rest)| !rest.starts_with('['))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_packages_are_read_from_a_simulation() {
        let simulation = "Reading package lists...\n\
            Inst libsctp1 (1.0.19 Debian:12.11/oldstable [amd64])\n\
            Inst libssl3 [3.0.1] (3.0.2 Debian:12.11/oldstable [amd64])\n\
            Inst rabbitmq-server (3.10.8 Debian:12.11/oldstable [all])\n\
            Conf libsctp1 (1.0.19 Debian:12.11/oldstable [amd64])\n";
        assert_eq!(new_packages(simulation), ["libsctp1", "rabbitmq-server"]);
    }
}
