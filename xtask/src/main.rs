//! `cargo xtask demo` and `cargo xtask test`: have brokers on this machine, then run the demo or the tests.
//!
//! Where Docker answers or the servers are installed, plain `cargo` does the same. What this adds is the set-up of a bare machine:
//! see `plan.rs` for what is decided, `install.rs` for what is done. Not in it: starting brokers, which `test-brokers` does.

#![forbid(unsafe_code)]
// A command line program talks to its user.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod apt;
mod arguments;
mod facts;
mod install;
mod plan;
mod policy;
#[cfg(test)]
mod rust_versions;
mod steps;

use std::process::{Command, ExitCode};

use arguments::{Parsed, Request, Task};
use facts::Facts;
use plan::Plan;
use steps::Steps;
use test_brokers::{Environment, Way};

/// Where the demo draws its traces.
const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/demo/trace.svg");

fn main() -> ExitCode {
    let arguments: Result<Vec<_>, _> = std::env::args_os().skip(1).map(std::ffi::OsString::into_string).collect();
    let parsed = match arguments {
        Ok(arguments) => arguments::parse(&arguments),
        Err(argument) => Err(format!("the argument {} is not UTF-8", argument.display())),
    };
    match parsed {
        Ok(Parsed::Help(text)) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Parsed::Run(request)) => run(&request).unwrap_or_else(|error| {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }),
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(request: &Request) -> Result<ExitCode, String> {
    let mut steps = Steps::new(3);
    let environment = Environment::of_process();

    let kinds = request.task.kinds();
    let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
    steps.next(&format!("looking for {}", names.join(" and ")));
    let forced = match request.way {
        Some(way) => Some(way),
        None => Way::forced(&environment)?,
    };
    let facts = Facts::gather(kinds, forced, &environment, &|line| steps.say(line));
    let plan = plan::plan(request.task, forced, &facts)?;
    for note in &plan.notes {
        steps.say(note);
    }

    steps.next("installing what is missing");
    install::install(&plan, kinds, request.yes, &steps)?;
    install::prepare(&plan, kinds, &environment, &steps)?;

    let mut command = task(request, &plan);
    steps.next(&display(&command));
    let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    steps.say(&if status.success() { "done".to_owned() } else { format!("cargo ended with {status}") });
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn task(request: &Request, plan: &Plan) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    match request.task {
        Task::Test if request.rest.is_empty() => cargo.args(["test", "--locked", "--workspace", "--all-features"]),
        Task::Test => cargo.args(["test", "--locked"]).args(&request.rest),
        Task::Demo => cargo
            .args(["run", "--locked", "--package", "examples", "--bin", "platform", "--", "demo"])
            // The last one counts.
            .args(["--svg", PICTURE])
            .args(&request.rest),
    };
    match plan.common_way() {
        // Decided once: no test binary looks again.
        Some(way) => cargo.env(Way::VARIABLE, way.to_string()),
        // It holds for all kinds; where they differ, a test binary looks in the same order and finds the same.
        None => cargo.env_remove(Way::VARIABLE),
    };
    cargo
}

fn display(command: &Command) -> String {
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    arguments.fold("cargo".to_owned(), |line, argument| line + " " + &argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_draws_into_a_file_and_a_file_that_is_named_comes_last() {
        let plan = Plan { ways: Vec::new(), servers: Vec::new(), python: &[], notes: Vec::new() };
        let rest = vec!["--svg".to_owned(), "mine.svg".to_owned()];
        let request = Request { task: Task::Demo, way: None, yes: false, rest };
        let line = display(&task(&request, &plan));
        assert!(line.ends_with("/target/demo/trace.svg --svg mine.svg"), "{line}");
    }
}
