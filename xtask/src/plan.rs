//! From facts to a plan: which brokers, and what to install for them. Nothing is done here.

use test_brokers::{Kind, Way};

use crate::{
    arguments::Task,
    facts::{BrokerFacts, Facts},
};

/// What Debian and Ubuntu call a Python that can make virtual environments.
pub(crate) const PYTHON: &[&str] = &["python3-venv"];

/// What will be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// How each kind is had.
    pub(crate) ways: Vec<(&'static str, Way)>,
    /// The packages without which there is no broker, of all kinds, or no client.
    pub(crate) servers: Vec<&'static str>,
    /// Python's packages, without which some tests say that they did not run.
    pub(crate) python: &'static [&'static str],
    /// What the user should know, a line each.
    pub(crate) notes: Vec<String>,
}

impl Plan {
    /// The way of all brokers, if there is one.
    pub(crate) fn common_way(&self) -> Option<Way> {
        let (_, first) = self.ways.first()?;
        self.ways.iter().all(|(_, way)| way == first).then_some(*first)
    }

    /// How this kind is had.
    pub(crate) fn way(&self, kind: &Kind) -> Option<Way> {
        self.ways.iter().find(|(name, _)| *name == kind.name).map(|(_, way)| *way)
    }
}

/// The plan, or one line that says what is missing and what to do.
pub(crate) fn plan(task: Task, forced: Option<Way>, facts: &Facts) -> Result<Plan, String> {
    let mut plan = Plan { ways: Vec::new(), servers: Vec::new(), python: &[], notes: Vec::new() };
    let (mut lacks, mut remedies) = (Vec::new(), Vec::new());
    for broker in &facts.brokers {
        let name = broker.kind.name;
        match decide(forced, broker).map_err(|why| format!("{name}: {why}"))? {
            Decision::There { way, note } => {
                plan.ways.push((name, way));
                plan.notes.push(format!("{name}: {note}"));
            }
            Decision::ToInstall { packages, instead, why } => {
                plan.ways.push((name, Way::Local));
                // A package is not to be named twice where two kinds want it.
                plan.servers
                    .extend(packages.iter().filter(|package| !plan.servers.contains(package)).collect::<Vec<_>>());
                lacks.push(format!("{name}: {why}"));
                remedies.extend(instead);
                remedies.push(format!("set {} to the address of a {name}", broker.kind.url_variable));
            }
        }
    }
    // Elsewhere the build itself says what it lacks.
    if facts.apt && !facts.build.is_empty() {
        plan.servers.extend(&facts.build);
        lacks.push(format!("there is no {} to build librdkafka with", facts.build.join(" and no ")));
    }
    if !lacks.is_empty() {
        let (lacks, packages) = (lacks.join("; "), plan.servers.join(" "));
        match (facts.apt, facts.root) {
            (true, true) => plan.notes.push(format!("{lacks}: apt-get will install {packages}")),
            (true, false) => {
                return Err(format!(
                    "{lacks}: run `sudo apt-get install --no-install-recommends {packages}` (on a machine with systemd a server's \
                     package starts its own service, which the tests do not use) and then this command again"
                ));
            }
            (false, _) => {
                return Err(format!("{lacks}: start Docker, or install {packages}, or {}", remedies.join(", or ")));
            }
        }
    }
    plan.python = python(task, facts, &mut plan.notes);
    Ok(plan)
}

enum Decision {
    There { way: Way, note: String },
    ToInstall { packages: Vec<&'static str>, instead: Vec<String>, why: String },
}

fn decide(forced: Option<Way>, broker: &BrokerFacts) -> Result<Decision, String> {
    let BrokerFacts { kind, address, container, server } = broker;
    let wanted = |way| forced.is_none_or(|forced| forced == way);
    if wanted(Way::Address) {
        if address.clone()? {
            return Ok(Decision::There {
                way: Way::Address,
                note: format!("the one that {} names", kind.url_variable),
            });
        }
        if forced.is_some() {
            return Err(format!("{} is not set, and no other way was asked for", kind.url_variable));
        }
    }
    let why_no_container = match container {
        Ok(container) if wanted(Way::Docker) => {
            return Ok(Decision::There { way: Way::Docker, note: container.clone() });
        }
        Ok(_) => "Docker was not asked for",
        Err(why) if forced == Some(Way::Docker) => return Err(format!("no container: {why}")),
        Err(why) => why,
    };
    match server {
        Ok(program) => {
            let note = format!("a process of {} ({why_no_container})", program.display());
            Ok(Decision::There { way: Way::Local, note })
        }
        // No package would help.
        Err(missing) if missing.packages.is_empty() => Err(format!("{why_no_container}, and {}", missing.why)),
        Err(missing) => Ok(Decision::ToInstall {
            packages: missing.packages.clone(),
            instead: missing.instead.iter().copied().map(str::to_owned).collect(),
            why: format!("{why_no_container}, and {}", missing.why),
        }),
    }
}

fn python(task: Task, facts: &Facts, notes: &mut Vec<String>) -> &'static [&'static str] {
    if task != Task::Test || facts.python {
        return &[];
    }
    if facts.apt && facts.root {
        return PYTHON;
    }
    notes.push("no python3 with venv: the tests with partners in Python will say that they did not run".to_owned());
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_brokers::{Environment, KAFKA, KINDS, Missing, RABBITMQ, REDIS};

    const SERVERS: [&str; 5] = ["rabbitmq-server", "default-jre-headless", "maven", "redis-server", "postgresql"];

    /// Nothing for any kind: what a kind looks for is looked for where there is nothing.
    fn nothing(kind: &'static Kind) -> BrokerFacts {
        let packages: Vec<_> = kind.programs.iter().flat_map(|program| program.packages).copied().collect();
        BrokerFacts {
            kind,
            address: Ok(false),
            container: Err("no Docker engine answers".to_owned()),
            server: Err(Missing {
                why: format!("there is no {} on this machine", packages.join(" ")),
                packages,
                instead: kind.programs.iter().filter_map(|program| program.instead).collect(),
            }),
        }
    }

    /// Debian with Rust and root, and nothing else; each kind's facts are changed by `change`.
    fn bare(change: impl Fn(&mut BrokerFacts)) -> Facts {
        let mut brokers: Vec<_> = KINDS.into_iter().map(nothing).collect();
        brokers.iter_mut().for_each(change);
        Facts { brokers, apt: true, root: true, python: false, build: Vec::new() }
    }

    fn test(forced: Option<Way>, facts: &Facts) -> Result<Plan, String> {
        plan(Task::Test, forced, facts)
    }

    #[test]
    fn a_bare_machine_gets_the_servers_and_python() {
        let plan = test(None, &bare(|_| ())).expect("a plan");
        assert_eq!((plan.common_way(), &plan.servers[..], plan.python), (Some(Way::Local), &SERVERS[..], PYTHON));
    }

    #[test]
    fn the_demo_does_without_kafka_and_python() {
        assert_eq!(Task::Demo.kinds().iter().map(|kind| kind.name).collect::<Vec<_>>(), [RABBITMQ.name, REDIS.name]);
        let facts = Facts { brokers: vec![nothing(&RABBITMQ), nothing(&REDIS)], ..bare(|_| ()) };
        let plan = plan(Task::Demo, None, &facts).expect("a plan");
        assert_eq!((plan.servers, plan.python.is_empty()), (vec!["rabbitmq-server", "redis-server"], true));
    }

    #[test]
    fn what_the_clients_are_built_with_is_installed_too_and_elsewhere_left_to_the_build() {
        let there = || bare(|broker| broker.container = Ok("a container".to_owned()));
        let facts = Facts { build: vec!["make", "g++"], python: true, ..there() };
        let plan = test(None, &facts).expect("a plan");
        assert_eq!((plan.common_way(), plan.servers), (Some(Way::Docker), vec!["make", "g++"]));
        let why = test(None, &Facts { root: false, build: vec!["make", "g++"], ..there() }).expect_err("no plan");
        assert!(
            why.contains("no make and no g++") && why.contains("install --no-install-recommends make g++`"),
            "{why}"
        );
        let plan = test(None, &Facts { apt: false, build: vec!["g++"], ..there() }).expect("a plan");
        assert!(plan.servers.is_empty());
    }

    #[test]
    fn docker_and_servers_that_are_there_leave_nothing_to_install() {
        let docker = bare(|broker| broker.container = Ok("a container".to_owned()));
        let server = bare(|broker| broker.server = Ok("/bin/server".into()));
        for (facts, way) in [(docker, Way::Docker), (server, Way::Local)] {
            let plan = test(None, &Facts { python: true, ..facts }).expect("a plan");
            assert_eq!((plan.common_way(), plan.servers.len(), plan.python.len()), (Some(way), 0, 0));
        }
    }

    #[test]
    fn an_address_comes_before_docker_and_docker_before_a_server() {
        let all = |broker: &mut BrokerFacts| {
            broker.address = Ok(true);
            broker.container = Ok("a container".to_owned());
            broker.server = Ok("/bin/server".into());
        };
        assert_eq!(test(None, &bare(all)).map(|plan| plan.common_way()), Ok(Some(Way::Address)));
        let no_address = bare(|broker| {
            all(broker);
            broker.address = Ok(false);
        });
        assert_eq!(test(None, &no_address).map(|plan| plan.common_way()), Ok(Some(Way::Docker)));
    }

    #[test]
    fn each_kind_is_had_in_its_own_way() {
        let facts = bare(|broker| match broker.kind.name {
            "Kafka" => broker.container = Ok("a container".to_owned()),
            _ => broker.address = Ok(true),
        });
        let plan = test(None, &facts).expect("a plan");
        assert_eq!((plan.way(&RABBITMQ), plan.way(&KAFKA)), (Some(Way::Address), Some(Way::Docker)));
        assert_eq!((plan.common_way(), plan.servers.len()), (None, 0));
        let kafka_is_missing = bare(|broker| broker.address = Ok(broker.kind.name != "Kafka"));
        let plan = test(None, &kafka_is_missing).expect("a plan");
        assert_eq!((plan.way(&KAFKA), plan.servers), (Some(Way::Local), SERVERS[1..3].to_vec()));
    }

    #[test]
    fn without_docker_the_servers_are_installed_although_an_engine_answers() {
        let plan = test(Some(Way::Local), &bare(|broker| broker.container = Ok("a container".to_owned())));
        assert_eq!(plan.map(|plan| (plan.common_way(), plan.servers)), Ok((Some(Way::Local), SERVERS.to_vec())));
    }

    #[test]
    fn an_image_that_cannot_be_had_is_said_and_the_server_taken() {
        let plan = test(
            None,
            &bare(|broker| {
                broker.container = Err("its image cannot be pulled".to_owned());
                broker.server = Ok("/bin/server".into());
            }),
        );
        let plan = plan.expect("a plan");
        assert_eq!(plan.common_way(), Some(Way::Local));
        assert!(plan.notes.iter().any(|note| note.contains("cannot be pulled")), "{:?}", plan.notes);
    }

    #[test]
    fn what_cannot_be_done_is_one_line_that_says_what_to_do() {
        let user = Facts { root: false, ..bare(|_| ()) };
        let elsewhere = Facts { apt: false, ..bare(|_| ()) };
        let malformed = bare(|broker| {
            broker.address =
                broker.kind.address(&Environment::default().with(broker.kind.url_variable, "?")).map(|_| true);
        });
        let faulty = bare(|broker| {
            broker.server = Err(Missing { why: "it is no program".to_owned(), ..Missing::default() });
        });
        for (forced, facts, part) in [
            (
                None,
                &user,
                "install --no-install-recommends rabbitmq-server default-jre-headless maven redis-server postgresql`",
            ),
            (
                None,
                &elsewhere,
                "start Docker, or install rabbitmq-server default-jre-headless maven redis-server postgresql, or set",
            ),
            (None, &elsewhere, "or set TRACED_KAFKA_URL to the address of a Kafka"),
            (None, &malformed, "RabbitMQ: TRACED_RABBITMQ_URL is malformed"),
            (None, &faulty, "RabbitMQ: no Docker engine answers, and it is no program"),
            (Some(Way::Docker), &bare(|_| ()), "RabbitMQ: no container: no Docker engine answers"),
            (Some(Way::Address), &bare(|_| ()), "TRACED_RABBITMQ_URL is not set"),
        ] {
            let why = test(forced, facts).expect_err("no plan");
            assert!(why.contains(part) && !why.contains('\n'), "{why}");
        }
    }

    #[test]
    fn python_is_no_reason_to_fail() {
        let user = Facts { root: false, ..bare(|broker| broker.server = Ok("/bin/server".into())) };
        let plan = test(None, &user).expect("a plan");
        assert!(plan.python.is_empty());
        assert!(plan.notes.iter().any(|note| note.contains("python3")), "{:?}", plan.notes);
    }
}
