//! PostgreSQL: the facts here, how it is started in `recipe.rs`.

use crate::{Kind, Program, place::place_of_url};

#[cfg(feature = "servers")]
mod recipe;
#[cfg(feature = "servers")]
pub use recipe::Postgres;

/// PostgreSQL: a database, and with a job queue in it a broker.
pub const POSTGRES: Kind = Kind {
    name: "PostgreSQL",
    url_variable: "TRACED_POSTGRES_URL",
    url_form: "postgres://user:password@host:port/database",
    places: |url| Some(vec![place_of_url(url, &[("postgres", PORT), ("postgresql", PORT)])?]),
    image_variable: "TRACED_POSTGRES_IMAGE",
    image: "postgres:17.6",
    programs: &[Program {
        variable: Some("TRACED_POSTGRES_SERVER"),
        // Debian keeps several versions side by side, and none of them on `PATH`.
        paths: &[
            "/usr/lib/postgresql/18/bin/postgres",
            "/usr/lib/postgresql/17/bin/postgres",
            "/usr/lib/postgresql/16/bin/postgres",
            "/usr/lib/postgresql/15/bin/postgres",
            "/usr/lib/postgresql/14/bin/postgres",
            "postgres",
        ],
        packages: &["postgresql"],
        instead: Some("set TRACED_POSTGRES_SERVER to the server's program, which has initdb beside it"),
        spared: None,
    }],
    units: &["postgresql.service"],
    prepare: None,
    port: PORT,
    ready: "database system is ready to accept connections",
};

const PORT: u16 = 5432;
