//! Kafka's jars: those of `TRACED_KAFKA_HOME`, or else those that Maven fetched into a cache, once for a user and a version:
//! `$XDG_CACHE_HOME/traced/kafka-<version>`, where `XDG_CACHE_HOME` is `~/.cache` unless it is set.
//!
//! Maven is run as its user runs it, with his settings: mirrors, proxies, credentials are its business.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{Environment, Say, find_program};

pub(super) const VERSION: &str = "4.1.1";
pub(super) const MAVEN: &[&str] = &["mvn"];

/// The directory of a Kafka, as it is unpacked: its `libs` has the jars.
const HOME_VARIABLE: &str = "TRACED_KAFKA_HOME";
/// A version of Maven's own choice would be another one with another Maven.
const GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
/// Kafka's log API is SLF4J 1.7; this is the version of Log4j that Kafka's archive has.
const LOG4J: &str = "2.24.3";
const PROGRESS: Duration = Duration::from_secs(2);

/// The directory with the jars, if it is there; an error says in one line what is wrong with the environment.
pub(super) fn find(environment: &Environment) -> Result<Option<PathBuf>, String> {
    if let Some(home) = environment.get(HOME_VARIABLE) {
        let libs = Path::new(home).join("libs");
        return match has_server(&libs) {
            true => Ok(Some(libs)),
            false => {
                Err(format!("{HOME_VARIABLE}={home} is not the directory of a Kafka: its libs have no kafka_*.jar"))
            }
        };
    }
    // Only whole ones are there.
    Ok(cache(environment).ok().map(|cache| cached(&cache)).filter(|libs| libs.is_dir()))
}

/// The directory with the jars, fetched if need be; an error is one line.
pub(super) fn provide(environment: &Environment, say: Say<'_>) -> Result<PathBuf, String> {
    // Tests of one process that want a broker at the same time wait for one download.
    static DOWNLOAD: Mutex<()> = Mutex::new(());
    let _download = DOWNLOAD.lock().unwrap_or_else(PoisonError::into_inner);
    match find(environment)? {
        Some(libs) => Ok(libs),
        None => fetch(&cache(environment)?, environment, say),
    }
}

fn has_server(libs: &Path) -> bool {
    let is_server = |name: &str| name.starts_with("kafka_") && name.ends_with(".jar");
    fs::read_dir(libs)
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(is_server)))
}

fn cache(environment: &Environment) -> Result<PathBuf, String> {
    let below = |variable, path: &str| environment.get(variable).map(|directory| Path::new(directory).join(path));
    below("XDG_CACHE_HOME", "traced")
        .or_else(|| below("HOME", ".cache/traced"))
        .filter(|cache| cache.is_absolute())
        .ok_or_else(|| format!("no place for Kafka's jars: set HOME, XDG_CACHE_HOME or {HOME_VARIABLE}"))
}

fn cached(cache: &Path) -> PathBuf {
    cache.join(format!("kafka-{VERSION}"))
}

fn fetch(cache: &Path, environment: &Environment, say: Say<'_>) -> Result<PathBuf, String> {
    let maven = find_program(MAVEN, environment).ok_or("there is no maven on this machine")?;
    let libs = cached(cache);
    say(&format!("fetching Kafka {VERSION}, some 45 MB, into {} with {}", libs.display(), maven.display()));
    // Beside its place, and moved there when it is whole. Another process may do the same: the first one wins.
    let partial = Partial(cache.join(format!("kafka-{VERSION}.{}.partial", std::process::id())));
    fs::create_dir_all(&partial.0)
        .and_then(|()| fs::write(partial.0.join("pom.xml"), pom()))
        .map_err(|error| format!("cannot write {}: {error}", partial.0.display()))?;
    let files = run(&maven, &partial.0, say)?;
    let fetched = partial.0.join("libs");
    if !has_server(&fetched) {
        return Err(format!("{} fetched no Kafka {VERSION}, although it says so", maven.display()));
    }
    match fs::rename(&fetched, &libs) {
        Err(error) if !libs.is_dir() => Err(format!("cannot write {}: {error}", libs.display())),
        _ => {
            say(&format!(
                "Kafka {VERSION} is in {} and stays there ({files} files were downloaded; Maven keeps its copies)",
                libs.display()
            ));
            Ok(libs)
        }
    }
}

/// The number of files that had to be downloaded.
fn run(maven: &Path, directory: &Path, say: Say<'_>) -> Result<u32, String> {
    let failed = |why: &str| format!("Maven cannot fetch Kafka {VERSION}: {why}");
    // Both of its outputs: its launcher says on the other one that there is no Java.
    let (output, input) = io::pipe().map_err(|error| failed(&error.to_string()))?;
    let mut child = input
        .try_clone()
        .and_then(|other| {
            Command::new(maven)
                .current_dir(directory)
                .args(["--batch-mode", GOAL, "-DincludeScope=runtime", "-DoutputDirectory=libs"])
                .stdin(Stdio::null())
                .stdout(input)
                .stderr(other)
                .spawn()
        })
        .map_err(|error| failed(&format!("{} cannot be run: {error}", maven.display())))?;
    let (mut files, mut last, mut why) = (0, Instant::now(), Why::default());
    // To the end of its output, whatever is in it: it would wait for its reader otherwise.
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if line.contains("Downloaded from") {
            files += 1;
            if last.elapsed() > PROGRESS {
                say(&format!("{files} files so far"));
                last = Instant::now();
            }
        } else {
            why.add(&line);
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(files),
        Ok(status) => Err(failed(&why.text(&format!("{} ended with {status}", maven.display())))),
        Err(error) => Err(failed(&error.to_string())),
    }
}

/// What Maven says is wrong: the first lines marked so, up to an empty one, after which there is advice. Its launcher marks
/// nothing: there it is the last line.
#[derive(Default)]
struct Why {
    marked: Option<String>,
    complete: bool,
    last: Option<String>,
}

impl Why {
    fn add(&mut self, line: &str) {
        let Some((_, error)) = line.split_once("ERROR]") else {
            self.last = Some(line.trim().to_owned()).filter(|line| !line.is_empty()).or_else(|| self.last.take());
            return;
        };
        match self.marked.take() {
            None => self.marked = Some(error.trim().to_owned()).filter(|error| !error.is_empty()),
            Some(text) if self.complete || error.trim().is_empty() => {
                self.complete = true;
                self.marked = Some(text);
            }
            Some(text) => self.marked = Some(format!("{text} {}", error.trim())),
        }
    }

    fn text(self, end: &str) -> String {
        self.marked.or(self.last.map(|last| format!("{end}: {last}"))).unwrap_or_else(|| end.to_owned())
    }
}

fn pom() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        )
    };
    let server = dependency("org.apache.kafka", "kafka_2.13", VERSION);
    let log = dependency("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J);
    format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>traced</groupId><artifactId>kafka-jars</artifactId>\
         <version>1</version><packaging>pom</packaging><dependencies>{server}{log}</dependencies></project>"
    )
}

/// What is not whole; removed when dropped.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An `mvn` that is this script, with a cache beside it.
    fn maven(script: &str) -> (tempfile::TempDir, Environment) {
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join("mvn");
        // Not written by this process: another test that starts a process just then hands it the open file, and a file that is
        // open for writing cannot be run.
        let written = Command::new("/bin/sh")
            .args(["-c", "echo \"$1\" >\"$2\" && chmod +x \"$2\"", "write", &format!("#!/bin/sh\n{script}")])
            .arg(&program)
            .status();
        assert!(written.expect("a shell").success());
        let path = format!("{}:/bin:/usr/bin", directory.path().display());
        let cache = directory.path().join("cache");
        let environment =
            Environment::default().with("PATH", &path).with("XDG_CACHE_HOME", cache.to_str().expect("UTF-8"));
        (directory, environment)
    }

    #[test]
    fn what_maven_brought_is_kept_and_not_fetched_again() {
        let (directory, environment) =
            maven("grep -q kafka_2.13 pom.xml && echo once >>../../log && mkdir libs && touch libs/kafka_2.13.jar");
        assert_eq!(find(&environment), Ok(None));
        let libs = provide(&environment, &|_| ()).expect("jars");
        assert_eq!(libs, directory.path().join(format!("cache/traced/kafka-{VERSION}")));
        assert_eq!(provide(&environment, &|_| ()), Ok(libs.clone()));
        assert_eq!(find(&environment), Ok(Some(libs.clone())));
        let runs = fs::read_to_string(directory.path().join("cache/log")).expect("it was run");
        assert_eq!(
            (runs.as_str(), fs::read_dir(libs.parent().expect("a cache")).expect("there").count()),
            ("once\n", 1)
        );
    }

    #[test]
    fn half_a_download_is_not_taken_for_a_whole_one() {
        for (script, why) in [
            (
                "mkdir libs && touch libs/kafka_2.13.jar; echo '[ERROR] no'; echo '[ERROR] route'; echo '[ERROR] '; echo '[ERROR] help'; exit 1",
                "4.1.1: no route",
            ),
            ("mkdir libs && touch libs/kafka_2.13.jar; kill -9 $$", "ended with signal: 9"),
            ("echo 'no JAVA_HOME' >&2; exit 1", "mvn ended with exit status: 1: no JAVA_HOME"),
            ("mkdir libs && touch libs/other.jar", "fetched no Kafka"),
        ] {
            let (directory, environment) = maven(script);
            let error = provide(&environment, &|_| ()).expect_err("it failed");
            assert!(error.contains(why) && !error.contains("help") && !error.contains('\n'), "{error}");
            assert_eq!(find(&environment), Ok(None));
            assert_eq!(fs::read_dir(directory.path().join("cache/traced")).expect("there").count(), 0, "{script}");
        }
    }

    #[test]
    fn a_kafka_that_is_given_is_taken_and_a_directory_that_is_none_is_an_error() {
        let directory = tempfile::tempdir().expect("a directory");
        let home = directory.path().to_str().expect("UTF-8");
        let environment = Environment::default().with(HOME_VARIABLE, home);
        let why = find(&environment).expect_err("it is empty");
        assert!(why.starts_with(&format!("TRACED_KAFKA_HOME={home} is not")) && !why.contains('\n'), "{why}");
        let libs = directory.path().join("libs");
        fs::create_dir(&libs).and_then(|()| fs::write(libs.join("kafka_2.13-4.1.1.jar"), "")).expect("written");
        assert_eq!(find(&environment), Ok(Some(libs)));
    }

    #[test]
    fn the_cache_is_where_caches_are() {
        let home = Environment::default().with("HOME", "/home/me");
        assert_eq!(cache(&home), Ok("/home/me/.cache/traced".into()));
        assert_eq!(cache(&home.with("XDG_CACHE_HOME", "/cache")), Ok("/cache/traced".into()));
        let why = cache(&Environment::default()).expect_err("there is no place");
        assert!(why.contains("TRACED_KAFKA_HOME"), "{why}");
    }
}
