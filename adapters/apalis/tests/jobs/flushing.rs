//! Jobs that are sent while a flush is under way, which apalis' own sinks do not take along.

use crate::support::{Database, SendEmail, email, ended, soon};
use apalis_core::backend::TaskSink as _;
use apalis_core::error::BoxDynError;
use futures_util::{FutureExt as _, SinkExt as _};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tokio::sync::mpsc;
use traced_apalis::apalis_core;
use traced_apalis::envelope::testing::Capture;

/// SQLite refuses a job for this one.
const REFUSED: &str = "nobody@example.com";

async fn refusing(database: &Database) -> Result<(), BoxDynError> {
    let trigger = format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON Jobs WHEN CAST(NEW.job AS TEXT) LIKE '%{REFUSED}%'
         BEGIN SELECT RAISE(ABORT, 'refused'); END"
    );
    sqlx::query(sqlx::AssertSqlSafe(trigger)).execute(&database.pool).await?;
    Ok(())
}

fn refused() -> SendEmail {
    SendEmail { to: REFUSED.to_owned() }
}

async fn stored(database: &Database) -> Result<i64, BoxDynError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM Jobs").fetch_one(&database.pool).await?)
}

/// Pushes the first, and the second while the flush of the first is under way; then there is nothing more, but the stream does not end.
macro_rules! push_one_while_another_is_flushed {
    ($database:ident, $queue:ident, $jobs:expr => $pushing:ident) => {
        let [first, second] = $jobs;
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut $pushing = pin!($queue.push_stream(futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx))));
        let busy = soon($database.pool.acquire()).await??;
        for job in [first, second] {
            sender.send(job)?;
            assert!($pushing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        drop(busy);
    };
}

#[tokio::test]
async fn a_job_that_is_sent_while_another_is_flushed_is_flushed_too() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    let mut queue = database.queue(&capture.settings("shop"));
    push_one_while_another_is_flushed!(database, queue, [email(), email()] => pushing);
    assert_eq!(capture.open_spans().len(), 2);
    tokio::select! {
        pushed = &mut pushing => pushed?,
        ended = ended(&capture, 2) => ended?,
    }
    assert_eq!(stored(&database).await?, 2, "a span that has ended without an error is a job that is stored");
    assert!(capture.spans().iter().all(|span| !span.is_error()));
    Ok(())
}

#[tokio::test]
async fn an_answer_is_for_the_jobs_that_the_flush_took_with_it() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    refusing(&database).await?;
    let mut queue = database.queue(&capture.settings("shop"));
    {
        push_one_while_another_is_flushed!(database, queue, [email(), refused()] => pushing);
        let error = soon(&mut pushing).await?.err().ok_or("both were stored")?;
        assert!(error.to_string().contains("refused"), "{error}");
    }
    let errors = capture.spans().iter().map(|span| span.is_error()).collect::<Vec<_>>();
    assert_eq!((errors, stored(&database).await?), (vec![false, true], 1));
    Ok(())
}

#[tokio::test]
async fn an_error_leaves_what_was_sent_meanwhile_to_the_next_flush() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    refusing(&database).await?;
    let mut queue = database.queue(&capture.settings("shop"));
    {
        push_one_while_another_is_flushed!(database, queue, [refused(), email()] => pushing);
        assert!(soon(&mut pushing).await?.is_err());
    }
    assert_eq!((capture.spans().len(), capture.open_spans().len()), (1, 1));
    assert!(capture.spans().iter().all(|span| span.is_error()));
    soon(queue.flush()).await??;
    assert_eq!((capture.spans().last().map(|span| span.is_error()), stored(&database).await?), (Some(false), 1));
    capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn a_push_that_was_dropped_while_it_was_flushed_has_its_own_answer() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    refusing(&database).await?;
    let mut queue = database.queue(&capture.settings("shop"));
    let busy = soon(database.pool.acquire()).await??;
    assert!(queue.push(refused()).now_or_never().is_none());
    drop(busy);
    assert!(soon(queue.push(email())).await?.is_err(), "apalis gives whoever comes next the answer of that flush");
    assert_eq!((capture.spans().len(), capture.open_spans().len()), (1, 1), "its own job is still to be flushed");
    soon(queue.flush()).await??;
    capture.assert_no_open_spans();
    assert_eq!((capture.spans().last().map(|span| span.is_error()), stored(&database).await?), (Some(false), 1));
    Ok(())
}

#[tokio::test]
async fn what_waits_is_flushed_before_a_queue_is_closed() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    let mut queue = database.queue(&capture.settings("shop"));
    {
        push_one_while_another_is_flushed!(database, queue, [email(), email()] => pushing);
    }
    assert_eq!(capture.open_spans().len(), 2);
    soon(queue.close()).await??;
    assert_eq!(stored(&database).await?, 2);
    capture.assert_no_open_spans();
    assert!(capture.spans().iter().all(|span| !span.is_error()));
    let closed = std::future::poll_fn(|cx| queue.poll_close_unpin(cx).map(|closed| closed.is_ok()));
    assert_eq!(futures_util::poll!(pin!(closed)), Poll::Ready(true));
    Ok(())
}
