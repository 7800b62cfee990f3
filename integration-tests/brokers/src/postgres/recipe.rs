//! How a PostgreSQL is started: its container, its script, its URL.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use anyhow::{Result, ensure};
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _, core::IntoContainerPort as _};

use super::POSTGRES;
use crate::{
    Broker,
    broker::Served,
    recipe::{Commands, Place, Recipe},
    shared::Shared,
};

/// A PostgreSQL to test with, whose user `postgres` needs no password. Its data outlast [`Broker::stop`] and [`Broker::kill`].
pub type Postgres = Broker<OfPostgres>;

/// Stands for PostgreSQL.
#[derive(Debug)]
pub struct OfPostgres;

impl Served for OfPostgres {
    const RECIPE: Recipe = Recipe {
        kind: POSTGRES,
        ports: 1,
        url: |place| format!("postgres://postgres@{place}/postgres"),
        container,
        once_addressed: None,
        commands,
        ask,
    };

    fn shared() -> &'static Shared<Postgres> {
        static SHARED: Shared<Postgres> = Shared::new();
        &SHARED
    }
}

const SCRIPT: &str = include_str!("server.sh");

fn container(image: GenericImage, port: u16) -> ContainerRequest<GenericImage> {
    image
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_cmd(["postgres", "-c", "fsync=off"])
        .with_mapped_port(port, POSTGRES.port.tcp())
}

fn commands(place: &Place<'_>) -> Result<Commands> {
    let mut server = Command::new("/bin/sh");
    server.args(["-c", SCRIPT, "postgres"]).arg(place.program).arg(place.directory).arg(place.port.to_string());
    Ok(Commands { helpers: Vec::new(), server })
}

/// Whether it speaks TLS, a question that every server answers at once with a letter (PostgreSQL's protocol, "`SSLRequest`"). A
/// connection alone says nothing: at a container's first start its log says ready once for a server that only prepares the database
/// and takes no connections.
fn ask(mut connection: TcpStream) -> Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    connection.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])?;
    let mut answer = [0];
    connection.read_exact(&mut answer)?;
    ensure!(matches!(&answer, b"S" | b"N"), "it answers as no PostgreSQL does");
    Ok(())
}
