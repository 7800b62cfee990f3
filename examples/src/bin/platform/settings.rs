//! Where a service listens and finds the others, from the environment. Telemetry's own variables are `traced_telemetry`'s.
//!
//! | variable | default |
//! |---|---|
//! | `LISTEN` | a port of each service's own, on loopback |
//! | `GRPC_LISTEN` | `127.0.0.1:50051` |
//! | `USER_SERVICE_URL` | `http://127.0.0.1:8081` |
//! | `USER_SERVICE_GRPC_URL` | `http://127.0.0.1:50051` |
//! | `ORDER_SERVICE_URL` | `http://127.0.0.1:8082` |
//! | `RABBITMQ_URL` | `amqp://guest:guest@127.0.0.1:5672/%2f` |
//! | `KAFKA_BROKERS` | `127.0.0.1:9092` |
//! | `REDIS_URL` | `redis://127.0.0.1:6379` |
//! | `DATABASE_URL` | `sqlite://orders.db?mode=rwc`, or `postgres://user:password@host/database` |

use std::{
    env::{self, VarError},
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Context as _, anyhow, bail};
use reqwest::Url;

pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) grpc_listen: SocketAddr,
    pub(crate) user_service_url: String,
    pub(crate) user_service_grpc_url: String,
    pub(crate) order_service_url: String,
    pub(crate) rabbitmq_url: String,
    pub(crate) kafka_brokers: String,
    pub(crate) redis_url: String,
    pub(crate) database_url: String,
}

impl Settings {
    /// What the environment says, and defaults for the rest; `port` is the one on which the service listens by default.
    ///
    /// # Errors
    ///
    /// The first variable that is malformed, and why; never its value, which may hold a password.
    pub(crate) fn from_environment(port: u16) -> anyhow::Result<Self> {
        Self::read(port, |name| match env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(anyhow!("{name}: is no UTF-8")),
        })
    }

    fn read(port: u16, variable: impl Fn(&str) -> anyhow::Result<Option<String>>) -> anyhow::Result<Self> {
        let value = |name: &str, default: &str| {
            // Empty is unset, as with OpenTelemetry's variables.
            let value = variable(name)?.filter(|value| !value.is_empty());
            anyhow::Ok(value.unwrap_or_else(|| default.to_owned()))
        };
        let address = |name: &str, port: u16| {
            let default = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string();
            value(name, &default)?.parse().with_context(|| format!("{name}: must be an address such as {default}"))
        };
        let url = |name: &str, schemes: &[&str], default: &str| {
            let value = value(name, default)?;
            check_url(&value, schemes).with_context(|| format!("{name}: must be a URL such as {default}"))?;
            anyhow::Ok(value)
        };
        // Without the slash at the end, a path can be appended.
        let service = |name: &str, default: &str| {
            Ok::<_, anyhow::Error>(url(name, &["http"], default)?.trim_end_matches('/').to_owned())
        };
        Ok(Self {
            listen: address("LISTEN", port)?,
            grpc_listen: address("GRPC_LISTEN", 50051)?,
            user_service_url: service("USER_SERVICE_URL", "http://127.0.0.1:8081")?,
            user_service_grpc_url: service("USER_SERVICE_GRPC_URL", "http://127.0.0.1:50051")?,
            order_service_url: service("ORDER_SERVICE_URL", "http://127.0.0.1:8082")?,
            rabbitmq_url: url("RABBITMQ_URL", &["amqp"], "amqp://guest:guest@127.0.0.1:5672/%2f")?,
            kafka_brokers: brokers(value("KAFKA_BROKERS", "127.0.0.1:9092")?)?,
            redis_url: url("REDIS_URL", &["redis"], "redis://127.0.0.1:6379")?,
            database_url: database(value("DATABASE_URL", "sqlite://orders.db?mode=rwc")?)?,
        })
    }
}

fn check_url(value: &str, schemes: &[&str]) -> anyhow::Result<()> {
    let url = Url::parse(value)?;
    if !schemes.contains(&url.scheme()) {
        bail!("the scheme is `{}`, not `{}`", url.scheme(), schemes.join("` or `"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        bail!("there is no host");
    }
    Ok(())
}

/// Names and ports with commas between them, as librdkafka has it; it would wait for a name that it cannot read.
fn brokers(value: String) -> anyhow::Result<String> {
    let is_broker = |broker: &str| {
        broker.trim().rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    if !value.split(',').all(is_broker) {
        bail!("KAFKA_BROKERS: must be names and ports such as 127.0.0.1:9092,127.0.0.1:9093");
    }
    Ok(value)
}

fn database(value: String) -> anyhow::Result<String> {
    let url =
        "DATABASE_URL: must be a URL such as sqlite://orders.db?mode=rwc or postgres://user:password@host/database";
    match value.split_once("://") {
        Some(("sqlite", file)) if !file.is_empty() => {}
        _ => check_url(&value, &["sqlite", "postgres", "postgresql"]).context(url)?,
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let value =
            |wanted: &str| variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_string());
        Settings::read(8080, |name| Ok(value(name)))
    }

    #[test]
    fn without_variables_all_is_on_loopback() {
        for variables in [&[][..], &[("LISTEN", ""), ("REDIS_URL", "")]] {
            let settings = read(variables).unwrap();
            assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
            assert_eq!(settings.redis_url, "redis://127.0.0.1:6379");
            assert_eq!(settings.database_url, "sqlite://orders.db?mode=rwc");
        }
    }

    #[test]
    fn what_is_set_is_taken() {
        let cases = [
            ("LISTEN", "0.0.0.0:80"),
            ("LISTEN", "[::1]:0"),
            ("KAFKA_BROKERS", "kafka-1:9092,kafka-2:9092"),
            ("RABBITMQ_URL", "amqp://shop:secret@mq.internal/shop"),
            ("DATABASE_URL", "sqlite:///var/lib/shop/orders.db?mode=rwc"),
            ("DATABASE_URL", "sqlite://:memory:"),
            ("DATABASE_URL", "postgres://shop:secret@db.internal:5432/orders"),
            ("ORDER_SERVICE_URL", "http://order-service:8082/"),
        ];
        for (name, value) in cases {
            let settings = read(&[(name, value)]).unwrap_or_else(|error| panic!("{name}={value}: {error:#}"));
            let listen = settings.listen.to_string();
            let Settings { order_service_url, rabbitmq_url, kafka_brokers, database_url, .. } = settings;
            let all = [listen, order_service_url, rabbitmq_url, kafka_brokers, database_url];
            assert!(all.contains(&value.trim_end_matches('/').to_owned()), "{name}={value}");
        }
    }

    #[test]
    fn what_is_malformed_is_an_error_that_names_the_variable_and_keeps_its_value() {
        let cases = [
            ("LISTEN", "8080-secret", "must be an address such as 127.0.0.1:8080"),
            ("LISTEN", "secret:8080", "must be an address"),
            ("GRPC_LISTEN", "127.0.0.1:secret", "must be an address such as 127.0.0.1:50051"),
            ("USER_SERVICE_URL", "user-secret:8081", "the scheme is `user-secret`, not `http`"),
            ("USER_SERVICE_GRPC_URL", "secret", "relative URL without a base"),
            ("ORDER_SERVICE_URL", "https://secret", "the scheme is `https`, not `http`"),
            ("RABBITMQ_URL", "http://a:secret@b", "the scheme is `http`, not `amqp`"),
            ("RABBITMQ_URL", "amqp://a:secret@b:99999", "invalid port number"),
            ("RABBITMQ_URL", "amqp:///secret", "there is no host"),
            ("KAFKA_BROKERS", "secret", "must be names and ports"),
            ("KAFKA_BROKERS", "kafka:9092,,secret:1", "must be names and ports"),
            ("KAFKA_BROKERS", "kafka:secret", "must be names and ports"),
            ("REDIS_URL", "unix:///secret", "the scheme is `unix`, not `redis`"),
            ("DATABASE_URL", "sqlite://", "there is no host"),
            ("DATABASE_URL", "mysql://a:secret@b/c", "not `sqlite` or `postgres` or `postgresql`"),
            ("DATABASE_URL", "secret.db", "relative URL without a base"),
        ];
        for (name, value, expected) in cases {
            let Err(error) = read(&[(name, value)]) else { panic!("{name}={value} was taken") };
            let error = format!("{error:#}");
            assert!(error.starts_with(name) && error.contains(expected), "{name}={value}: {error}");
            let scheme = value.starts_with("user-secret");
            assert!(scheme || !error.contains("secret"), "{name}={value}: {error}");
        }
    }
}
