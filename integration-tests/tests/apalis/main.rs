//! Jobs in worker processes, on real servers. What all transports have in common is in the conformance suite; what apalis does within one
//! process is in the adapter's own tests, on SQLite.

#![allow(missing_docs, reason = "test binary")]

mod killed;
mod shared_queue;
mod worker;
mod worker_process;

/// Each test, on a storage that has a server.
macro_rules! tests {
    ($storage:ty) => {
        #[tokio::test]
        async fn two_workers_share_a_queue_and_each_job_is_done_once_in_its_own_trace() -> anyhow::Result<()> {
            crate::shared_queue::each_job_is_done_once::<$storage>().await
        }

        #[tokio::test]
        async fn a_job_of_a_killed_worker_is_picked_up_and_linked() -> anyhow::Result<()> {
            crate::killed::the_job_is_picked_up_and_linked::<$storage>().await
        }

        #[tokio::test]
        async fn a_job_of_a_killed_worker_is_picked_up_in_the_same_trace_where_the_relation_says_so()
        -> anyhow::Result<()> {
            crate::killed::the_job_is_picked_up_in_the_same_trace::<$storage>().await
        }
    };
}

mod postgres {
    tests!(integration_tests::Postgres);
}

mod redis {
    tests!(integration_tests::Redis);
}
