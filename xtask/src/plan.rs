//! From facts to a plan: which broker, and what to install for it. Nothing is done here.

use test_brokers::{Kind, Way};

use crate::{arguments::Task, facts::Facts};

/// What Debian and Ubuntu call a Python that can make virtual environments.
pub(crate) const PYTHON: Packages = &["python3-venv"];

pub(crate) type Packages = &'static [&'static str];

/// What will be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) way: Way,
    /// The server's packages, without which there is no broker.
    pub(crate) server: Option<Packages>,
    /// Python's packages, without which some tests say that they did not run.
    pub(crate) python: Option<Packages>,
    /// What the user should know, a line each.
    pub(crate) notes: Vec<String>,
}

/// The plan, or one line that says what is missing and what to do.
pub(crate) fn plan(task: Task, forced: Option<Way>, facts: &Facts, kind: &Kind) -> Result<Plan, String> {
    let mut notes = Vec::new();
    let (way, server) = broker(forced, facts, kind, &mut notes)?;
    let python = python(task, facts, &mut notes);
    Ok(Plan { way, server, python, notes })
}

fn broker(
    forced: Option<Way>,
    facts: &Facts,
    kind: &Kind,
    notes: &mut Vec<String>,
) -> Result<(Way, Option<Packages>), String> {
    let Kind { name, url_variable, .. } = kind;
    let wanted = |way| forced.is_none_or(|forced| forced == way);
    if wanted(Way::Address) {
        if facts.address {
            notes.push(format!("{name}: the one that {url_variable} names"));
            return Ok((Way::Address, None));
        }
        if forced.is_some() {
            return Err(format!("{url_variable} is not set, and no other way was asked for"));
        }
    }
    let why_no_container = match &facts.container {
        Ok(container) if wanted(Way::Docker) => {
            notes.push(format!("{name}: {container}"));
            return Ok((Way::Docker, None));
        }
        Ok(_) => "Docker was not asked for",
        Err(why) if forced == Some(Way::Docker) => return Err(format!("no container: {why}")),
        Err(why) => why,
    };
    if let Some(program) = &facts.server {
        notes.push(format!("{name}: a process of {} ({why_no_container})", program.display()));
        return Ok((Way::Local, None));
    }
    let packages = kind.packages.join(" ");
    let missing = format!("{why_no_container}, and there is no {packages} on this machine");
    match (facts.apt, facts.root) {
        (true, true) => {
            notes.push(format!("{missing}: apt-get will install it"));
            Ok((Way::Local, Some(kind.packages)))
        }
        (true, false) => Err(format!(
            "{missing}: run `sudo apt-get install --no-install-recommends {packages}` (on a machine with systemd it starts its \
             own service, which the tests do not use) and then this command again"
        )),
        (false, _) => Err(format!(
            "{missing}: start Docker, or install {packages}, or set {url_variable} to the address of a {name}"
        )),
    }
}

fn python(task: Task, facts: &Facts, notes: &mut Vec<String>) -> Option<Packages> {
    if task != Task::Test || facts.python {
        return None;
    }
    if facts.apt && facts.root {
        return Some(PYTHON);
    }
    notes.push("no python3 with venv: the tests with partners in Python will say that they did not run".to_owned());
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_brokers::RABBITMQ;

    /// Debian with Rust and root, and nothing else.
    fn bare() -> Facts {
        Facts {
            address: false,
            container: Err("no Docker engine answers".to_owned()),
            server: None,
            apt: true,
            root: true,
            python: false,
        }
    }

    fn test(forced: Option<Way>, facts: &Facts) -> Result<Plan, String> {
        plan(Task::Test, forced, facts, &RABBITMQ)
    }

    #[test]
    fn a_bare_machine_gets_the_server_and_python() {
        let plan = test(None, &bare()).expect("a plan");
        assert_eq!((plan.way, plan.server, plan.python), (Way::Local, Some(RABBITMQ.packages), Some(PYTHON)));
    }

    #[test]
    fn the_demo_does_without_python() {
        let plan = plan(Task::Demo, None, &bare(), &RABBITMQ).expect("a plan");
        assert_eq!((plan.server, plan.python), (Some(RABBITMQ.packages), None));
    }

    #[test]
    fn docker_and_a_server_that_is_there_leave_nothing_to_install() {
        let docker = Facts { container: Ok("a container".to_owned()), python: true, ..bare() };
        let server = Facts { server: Some("/bin/server".into()), python: true, ..bare() };
        for (facts, way) in [(&docker, Way::Docker), (&server, Way::Local)] {
            let plan = test(None, facts).expect("a plan");
            assert_eq!((plan.way, plan.server, plan.python), (way, None, None));
        }
    }

    #[test]
    fn an_address_comes_before_docker_and_docker_before_a_server() {
        let all = Facts {
            address: true,
            container: Ok("a container".to_owned()),
            server: Some("/bin/server".into()),
            ..bare()
        };
        assert_eq!(test(None, &all).map(|plan| plan.way), Ok(Way::Address));
        assert_eq!(test(None, &Facts { address: false, ..all }).map(|plan| plan.way), Ok(Way::Docker));
    }

    #[test]
    fn without_docker_the_server_is_installed_although_an_engine_answers() {
        let docker = Facts { container: Ok("a container".to_owned()), ..bare() };
        let plan = test(Some(Way::Local), &docker).expect("a plan");
        assert_eq!((plan.way, plan.server), (Way::Local, Some(RABBITMQ.packages)));
    }

    #[test]
    fn an_image_that_cannot_be_had_is_said_and_the_server_taken() {
        let facts = Facts {
            container: Err("image rabbitmq:1 is not there and cannot be pulled".to_owned()),
            server: Some("/bin/server".into()),
            ..bare()
        };
        let plan = test(None, &facts).expect("a plan");
        assert_eq!(plan.way, Way::Local);
        assert!(plan.notes.iter().any(|note| note.contains("cannot be pulled")), "{:?}", plan.notes);
    }

    #[test]
    fn what_cannot_be_done_is_one_line_that_says_what_to_do() {
        let user = Facts { root: false, ..bare() };
        let elsewhere = Facts { apt: false, ..bare() };
        for (forced, facts, part) in [
            (None, &user, "sudo apt-get install --no-install-recommends rabbitmq-server"),
            (None, &elsewhere, "start Docker, or install rabbitmq-server, or set TRACED_RABBITMQ_URL"),
            (Some(Way::Docker), &bare(), "no Docker engine answers"),
            (Some(Way::Address), &bare(), "TRACED_RABBITMQ_URL is not set"),
        ] {
            let why = test(forced, facts).expect_err("no plan");
            assert!(why.contains(part) && !why.contains('\n'), "{why}");
        }
    }

    #[test]
    fn python_is_no_reason_to_fail() {
        let user = Facts { root: false, server: Some("/bin/server".into()), ..bare() };
        let plan = test(None, &user).expect("a plan");
        assert_eq!(plan.python, None);
        assert!(plan.notes.iter().any(|note| note.contains("python3")), "{:?}", plan.notes);
    }
}
