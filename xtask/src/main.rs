//! `cargo xtask demo` and `cargo xtask test`: have a broker on this machine, then run the demo or the tests.
//!
//! Where Docker answers or the server is installed, plain `cargo` does the same. What this adds is the set-up of a bare machine:
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
mod steps;

use std::process::{Command, ExitCode};

use arguments::{Parsed, Request, Task};
use facts::Facts;
use plan::Plan;
use steps::Steps;
use test_brokers::{Environment, RABBITMQ, Way};

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
            eprintln!("xtask: {error}; `cargo xtask --help` lists what there is");
            ExitCode::from(2)
        }
    }
}

fn run(request: &Request) -> Result<ExitCode, String> {
    let mut steps = Steps::new(3);
    let environment = Environment::of_process();

    steps.next("looking for a broker");
    let forced = match request.way {
        Some(way) => Some(way),
        None => Way::forced(&environment)?,
    };
    let facts = Facts::gather(&RABBITMQ, forced, &environment, |line| steps.say(line));
    let plan = plan::plan(request.task, forced, &facts, &RABBITMQ)?;
    for note in &plan.notes {
        steps.say(note);
    }

    steps.next("installing what is missing");
    install::install(&plan, &RABBITMQ, request.yes, &steps)?;

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
        Task::Demo => {
            cargo.args(["run", "--locked", "--package", "examples", "--bin", "demo", "--"]).args(&request.rest)
        }
    };
    // Decided once: no test binary looks again.
    cargo.env(Way::VARIABLE, plan.way.to_string());
    cargo
}

fn display(command: &Command) -> String {
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    arguments.fold("cargo".to_owned(), |line, argument| line + " " + &argument)
}
