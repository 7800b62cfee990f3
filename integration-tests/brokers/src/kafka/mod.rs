//! Kafka: the facts here, its jars in `jars.rs`, its settings in `properties.rs`, how it is started in `recipe.rs`.

use crate::{Kind, Program, place::split_place};

mod jars;
mod java;

#[cfg(feature = "servers")]
mod answers;
#[cfg(feature = "servers")]
mod properties;
#[cfg(feature = "servers")]
mod recipe;
#[cfg(feature = "servers")]
pub use recipe::Kafka;

/// Kafka, as one node that is broker and controller (`KRaft`).
pub const KAFKA: Kind = Kind {
    name: "Kafka",
    url_variable: "TRACED_KAFKA_URL",
    url_form: "host:port[,host:port]",
    places,
    image_variable: "TRACED_KAFKA_IMAGE",
    // The version of `jars::VERSION`.
    image: "apache/kafka:4.1.1",
    programs: &[JAVA, MAVEN],
    // Neither package brings a service.
    units: &[],
    prepare: Some(|environment, say| {
        if let Some(java) = crate::find_program(JAVA.paths, environment) {
            java::check(&java)?;
        }
        jars::provide(environment, say).map(drop)
    }),
    port: 9092,
    ready: "Kafka Server started",
};

const JAVA: Program =
    Program { variable: None, paths: &["java"], packages: &["default-jre-headless"], instead: None, spared: None };

/// It fetches Kafka, which Debian does not have.
const MAVEN: Program = Program {
    variable: None,
    paths: jars::MAVEN,
    packages: &["maven"],
    instead: Some("set TRACED_KAFKA_HOME to the directory of a Kafka"),
    spared: Some(|environment| jars::find(environment).map(|found| found.is_some())),
};

/// Of bootstrap servers; each needs its port, as librdkafka and Kafka's own clients want it.
fn places(servers: &str) -> Option<Vec<String>> {
    let place = |server: &str| matches!(split_place(server), Some((_, Some(_)))).then(|| server.to_owned());
    servers.split(',').map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_servers_are_hosts_with_ports() {
        assert_eq!(places("a:1,[::1]:2"), Some(vec!["a:1".to_owned(), "[::1]:2".to_owned()]));
        for malformed in ["a", "a:1,", ",a:1", "a:1, b:2", "a:1;b:2", "kafka://a:1", "a:b", ""] {
            assert_eq!(places(malformed), None, "{malformed:?}");
        }
    }

    #[test]
    fn the_image_and_the_jars_are_of_one_version() {
        assert_eq!(KAFKA.image.rsplit_once(':').map(|(_, tag)| tag), Some(jars::VERSION));
    }
}
