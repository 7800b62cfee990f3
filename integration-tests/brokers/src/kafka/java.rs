//! Is this Java new enough? Where a system's default Java is older, Kafka's own words are a class file's version.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use super::jars::VERSION;

/// What Kafka 4 needs: <https://kafka.apache.org/41/documentation.html#java>.
const NEEDED: u32 = 17;

/// An error says in one line which one it is and which one would do.
pub(super) fn check(java: &Path) -> Result<(), String> {
    let output = Command::new(java)
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} cannot be run: {error}", java.display()))?;
    // Java prints it on stderr.
    match major(&String::from_utf8_lossy(&output.stderr)) {
        Some(version) if version < NEEDED => Err(format!(
            "{} is Java {version}, and Kafka {VERSION} needs {NEEDED} or newer (on Debian and Ubuntu: openjdk-{NEEDED}-jre-headless)",
            java.display()
        )),
        // A Java that says something else is left to try.
        _ => Ok(()),
    }
}

/// Of `openjdk version "17.0.15" 2025-04-15`, and of `java version "1.8.0_402"`.
fn major(text: &str) -> Option<u32> {
    let (_, version) = text.split_once(" version \"")?;
    let mut numbers = version.split(|character: char| !character.is_ascii_digit()).map(str::parse);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_java_says() {
        for (text, version) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime", Some(17)),
            ("Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"21\" 2023-09-19", Some(21)),
            ("openjdk version \"25-ea\" 2025-09-16", Some(25)),
            ("java version \"1.8.0_402\"", Some(8)),
            ("what?", None),
        ] {
            assert_eq!(major(text), version, "{text}");
        }
    }
}
