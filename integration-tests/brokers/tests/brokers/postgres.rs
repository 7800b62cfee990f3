//! PostgreSQL as a real client meets it.

use std::{net::TcpStream, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use sqlx::{Connection as _, PgConnection};
use test_brokers::{Environment, POSTGRES, Postgres, Way};

use crate::only;

async fn rows_after(broker: &Postgres, statement: &'static str) -> Result<i64> {
    let mut connection = PgConnection::connect(broker.url()).await?;
    sqlx::query(statement).execute(&mut connection).await?;
    let rows = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(rows)
}

fn refuses(broker: &Postgres) -> Result<bool> {
    let (_, place) = broker.url().split_once('@').context("no place")?;
    Ok(TcpStream::connect(place.trim_end_matches("/postgres")).is_err())
}

async fn live_through_a_stop_and_a_crash(environment: Environment) -> Result<()> {
    const ADD: &str = "INSERT INTO orders VALUES (1)";
    let broker = Postgres::start_in(environment).await?;
    println!("{}", broker.describe());
    let url = broker.url().to_owned();
    ensure!(rows_after(&broker, "CREATE TABLE orders (id int)").await? == 0);
    ensure!(rows_after(&broker, ADD).await? == 1);
    broker.stop().await?;
    ensure!(refuses(&broker)?, "it answers although it is stopped");
    broker.start_again().await?;

    ensure!(rows_after(&broker, ADD).await? == 2);
    broker.kill().await?;
    ensure!(refuses(&broker)?, "it answers although it is killed");
    broker.start_again().await?;

    ensure!(rows_after(&broker, ADD).await? == 3);
    broker.restart().await?;
    ensure!(rows_after(&broker, ADD).await? == 4);
    ensure!(broker.url() == url, "the address changed");
    Ok(())
}

#[tokio::test]
async fn a_container_keeps_its_address_and_its_data_through_stop_kill_and_restart() -> Result<()> {
    only(Way::Docker, &POSTGRES, live_through_a_stop_and_a_crash).await
}

#[tokio::test]
async fn a_local_process_keeps_its_address_and_its_data_through_stop_kill_and_restart() -> Result<()> {
    only(Way::Local, &POSTGRES, live_through_a_stop_and_a_crash).await
}

#[tokio::test]
async fn a_shared_one_is_one_and_can_be_given_by_its_address() -> Result<()> {
    let broker = Postgres::shared().await?;
    ensure!(Arc::ptr_eq(&broker, &Postgres::shared().await?), "two of them");
    let environment = Environment::of_process()
        .with(Way::VARIABLE, &Way::Address.to_string())
        .with(POSTGRES.url_variable, broker.url());
    let given = Postgres::start_in(environment).await?;
    ensure!(given.url() == broker.url());
    Ok(())
}
