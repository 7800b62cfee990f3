//! The Python that the partner runs on: a virtual environment with pinned packages, made once.

use std::{
    ffi::OsStr,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::{process::Command, sync::OnceCell, time::timeout};

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Set to `1`, it makes a machine without Python a failure.
const REQUIRE: &str = "TRACED_REQUIRE_PYTHON";

/// For each command; pip has a few megabytes to fetch.
const LIMIT: Duration = Duration::from_secs(180);

/// The environment's interpreter; `None` where there can be none, which one line on stderr says.
pub(crate) async fn interpreter() -> Result<Option<&'static Path>> {
    static INTERPRETER: OnceCell<Result<PathBuf, String>> = OnceCell::const_new();
    let found = INTERPRETER
        .get_or_init(async || {
            let found = make().await.map_err(|error| format!("{error:#}").replace('\n', " "));
            if let Err(why) = &found {
                say(&format!("Python interop is not tested: {why}"));
            }
            found
        })
        .await;
    match found {
        Ok(interpreter) => Ok(Some(interpreter)),
        Err(why) if std::env::var_os(REQUIRE).is_some_and(|value| value == "1") => bail!("{REQUIRE} is 1, but {why}"),
        Err(_) => Ok(None),
    }
}

/// A command without what this process's environment would change in the partner: settings of OpenTelemetry, modules of others.
pub(crate) fn python(interpreter: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(interpreter);
    for (name, _) in std::env::vars_os() {
        if ["OTEL_", "PYTHON"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    // The scripts lie in the source tree: no caches there.
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn make() -> Result<PathBuf> {
    let mut command = python("python3");
    // `ensurepip` is what Debian leaves out of its python3 package.
    let version = run(command.args(["-c", "import sys, venv, ensurepip; print(sys.version, sys.executable)"]))
        .await
        .context("there is no python3 with venv and pip")?;

    // An interpreter of another version cannot use it, and other packages are another environment.
    let mut hasher = DefaultHasher::new();
    (REQUIREMENTS, version).hash(&mut hasher);
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = parent.join(format!("python-{:016x}", hasher.finish()));
    let interpreter = directory.join("bin/python");
    if interpreter.exists() {
        return Ok(interpreter);
    }

    // Made under another name: a process that runs at the same time sees all of it or nothing.
    let unfinished = tempfile::Builder::new().prefix("python-unfinished-").tempdir_in(parent)?;
    say(&format!("making a virtual environment for Python, once: {}", directory.display()));
    run(python("python3").args(["-m", "venv"]).arg(unfinished.path())).await.context("python3 -m venv")?;
    say("installing clients of brokers and OpenTelemetry from pip's registry");
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/requirements.txt");
    let mut pip = python(unfinished.path().join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "-r"]);
    run(pip.arg(requirements)).await.context("the packages cannot be had")?;
    match fs::rename(unfinished.path(), &directory) {
        // Another process was faster; its environment is the same.
        Err(_) if interpreter.exists() => {}
        renamed => renamed.with_context(|| format!("cannot make {}", directory.display()))?,
    }
    Ok(interpreter)
}

/// Standard output, or the last line of what went wrong.
async fn run(command: &mut Command) -> Result<String> {
    let output = timeout(LIMIT, command.output()).await.context("it takes too long")??;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{}", errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it fails without a word"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Straight to stderr: what the test harness catches is shown for failed tests only.
fn say(line: &str) {
    writeln!(io::stderr(), "{line}").ok();
}
