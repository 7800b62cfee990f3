//! Redis, one server and a cluster, as a real client meets them.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use redis::{AsyncCommands as _, Client, aio::MultiplexedConnection, cluster::ClusterClient};
use test_brokers::{Broker, Environment, REDIS, REDIS_CLUSTER, Redis, RedisCluster, Way};

use crate::only;

async fn connect(broker: &Redis) -> Result<MultiplexedConnection> {
    Ok(Client::open(broker.url())?.get_multiplexed_async_connection().await?)
}

fn refuses<K>(broker: &Broker<K>) -> bool {
    TcpStream::connect(broker.url().trim_start_matches("redis://")).is_err()
}

async fn live_through_a_stop_and_a_crash(environment: Environment) -> Result<()> {
    let broker = Redis::start_in(environment).await?;
    println!("{}", broker.describe());
    let url = broker.url().to_owned();
    let append = async |entry: &str| {
        let length: usize = connect(&broker).await?.rpush("orders", entry).await?;
        anyhow::Ok(length)
    };
    ensure!(append("before the stop").await? == 1);
    broker.stop().await?;
    ensure!(refuses(&broker), "it answers although it is stopped");
    broker.start_again().await?;

    ensure!(append("before the crash").await? == 2);
    broker.kill().await?;
    ensure!(refuses(&broker), "it answers although it is killed");
    broker.start_again().await?;

    ensure!(append("before the restart").await? == 3);
    broker.restart().await?;
    ensure!(append("last").await? == 4);
    ensure!(broker.url() == url, "the address changed");
    Ok(())
}

/// Keys that each of the three nodes has some of: a client that follows no redirection gets at a third of them.
const KEYS: std::ops::Range<usize> = 0..30;

async fn live_through_a_stop_and_a_crash_as_a_cluster(environment: Environment) -> Result<()> {
    let cluster = RedisCluster::start_in(environment).await?;
    println!("{}", cluster.describe());
    let connect =
        async || Ok::<_, anyhow::Error>(ClusterClient::new(vec![cluster.url()])?.get_async_connection().await?);
    let mut connection = connect().await?;
    for key in KEYS {
        let () = connection.set(key, key).await?;
    }
    let all_are_there = async || {
        let mut connection = connect().await?;
        for key in KEYS {
            let value: usize = connection.get(key).await?;
            ensure!(value == key);
        }
        Ok(())
    };
    let single = Client::open(cluster.url())?;
    let mut single = single.get_multiplexed_async_connection().await?;
    let mut moved = 0;
    for key in KEYS {
        let answer: redis::RedisResult<usize> = single.get(key).await;
        moved += usize::from(answer.is_err_and(|error| error.code() == Some("MOVED")));
    }
    ensure!((1..KEYS.len()).contains(&moved), "{moved} of the keys are on other nodes");

    cluster.stop().await?;
    ensure!(refuses(&cluster), "it answers although it is stopped");
    cluster.start_again().await?;
    all_are_there().await?;
    cluster.kill().await?;
    ensure!(refuses(&cluster), "it answers although it is killed");
    cluster.start_again().await?;
    all_are_there().await
}

#[tokio::test]
async fn a_container_keeps_its_address_and_its_data_through_stop_kill_and_restart() -> Result<()> {
    only(Way::Docker, &REDIS, live_through_a_stop_and_a_crash).await
}

#[tokio::test]
async fn a_local_process_keeps_its_address_and_its_data_through_stop_kill_and_restart() -> Result<()> {
    only(Way::Local, &REDIS, live_through_a_stop_and_a_crash).await
}

#[tokio::test]
async fn a_cluster_in_a_container_keeps_its_keys_on_three_nodes_through_stop_and_kill() -> Result<()> {
    only(Way::Docker, &REDIS_CLUSTER, live_through_a_stop_and_a_crash_as_a_cluster).await
}

#[tokio::test]
async fn a_cluster_of_local_processes_keeps_its_keys_on_three_nodes_through_stop_and_kill() -> Result<()> {
    only(Way::Local, &REDIS_CLUSTER, live_through_a_stop_and_a_crash_as_a_cluster).await
}

/// The processes whose working directory is in this one.
fn processes_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let there = |process: &PathBuf| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
    Ok(fs::read_dir("/proc")?.filter_map(|entry| Some(entry.ok()?.path())).filter(there).collect())
}

#[tokio::test]
async fn the_processes_of_a_cluster_are_gone_with_their_directory_once_it_is_dropped() -> Result<()> {
    only(Way::Local, &REDIS_CLUSTER, async |environment| {
        let cluster = RedisCluster::start_in(environment).await?;
        let (_, rest) = cluster.describe().split_once(", process ").context("no process")?;
        let process = Path::new("/proc").join(rest.split(' ').next().unwrap_or_default());
        let directory = fs::read_link(process.join("cwd"))?;
        ensure!(processes_in(&directory)?.len() >= 4, "not a shell and three nodes: {:?}", processes_in(&directory)?);
        drop(cluster);
        ensure!(!directory.exists(), "{} stays", directory.display());
        ensure!(processes_in(&directory)?.is_empty(), "{:?}", processes_in(&directory)?);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_shared_broker_is_one_and_can_be_given_by_its_address_but_not_stopped() -> Result<()> {
    let (mine, yours) = (Redis::shared().await?, Redis::shared().await?);
    println!("{}", mine.describe());
    ensure!(mine.url() == yours.url(), "two brokers");

    let environment = Environment::of_process().without(Way::VARIABLE).with(REDIS.url_variable, mine.url());
    let given = Redis::start_in(environment).await?;
    let answer: String = connect(&given).await?.ping().await?;
    ensure!(answer == "PONG", "{answer}");
    let error = given.restart().await.expect_err("it is not ours").to_string();
    ensure!(error.contains("TRACED_REDIS_URL") && !error.contains('\n'), "{error}");
    drop(given);
    let answer: String = connect(&mine).await?.ping().await?;
    ensure!(answer == "PONG", "{answer}");
    Ok(())
}

#[tokio::test]
async fn an_address_where_nothing_answers_is_named_in_one_line() -> Result<()> {
    let environment = Environment::default().with(REDIS.url_variable, "rediss://me:secret@127.0.0.1:1/0");
    let error = Redis::start_in(environment).await.expect_err("nothing is there").to_string();
    ensure!(error == "no Redis answers at 127.0.0.1:1, which TRACED_REDIS_URL names", "{error}");
    let malformed = Environment::default().with(REDIS.url_variable, "amqp://there");
    let error = Redis::start_in(malformed).await.expect_err("malformed").to_string();
    ensure!(error == "TRACED_REDIS_URL is malformed: it takes redis[s]://user:password@host:port/database", "{error}");
    Ok(())
}
