//! What happens on one connection, and what all of them share.

use std::{
    io::{self, BufReader},
    net::TcpStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, atomic::AtomicBool, atomic::Ordering},
    thread,
    time::Duration,
};

use crate::{Answers, Export, Received, Signal, export, export::Refusal, http::Request};

/// Called with each request that was taken.
pub(crate) type Forward = dyn Fn(Export) + Send + Sync;

pub(crate) struct State {
    pub(crate) answers: Answers,
    pub(crate) forward: Option<Box<Forward>>,
    pub(crate) ended: AtomicBool,
    received: Mutex<Received>,
    changed: Condvar,
}

impl State {
    pub(crate) fn new(answers: Answers, forward: Option<Box<Forward>>) -> Self {
        Self { answers, forward, ended: AtomicBool::new(false), received: Mutex::default(), changed: Condvar::new() }
    }

    pub(crate) fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, no longer than `limit`.
    pub(crate) fn next<'a>(&self, received: MutexGuard<'a, Received>, limit: Duration) -> MutexGuard<'a, Received> {
        self.changed.wait_timeout(received, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Requests one after the other, until one is none or the collector has ended.
    pub(crate) fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(request) = Request::read(&mut stream)? {
            if self.ended.load(Ordering::SeqCst) {
                break;
            }
            let taken = self.take(&request);
            let status = match (self.answers, taken) {
                // Holds the connection for good; the thread ends with the process.
                (Answers::Never, _) => loop {
                    thread::park();
                },
                (Answers::Refuses(status), _) | (Answers::Takes, Err(Refusal(status))) => status,
                (Answers::Takes, Ok(signal)) => {
                    // Before the answer, so that whoever waits for the exporter knows that it was passed on.
                    self.pass_on(signal, &request);
                    200
                }
            };
            request.answer(status, stream.get_mut())?;
        }
        Ok(())
    }

    fn take(&self, request: &Request) -> Result<Signal, Refusal> {
        let mut received = self.received();
        received.requests += 1;
        let lines = request.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_ascii_lowercase()));
        received.headers.extend(lines);
        let taken = match self.answers {
            Answers::Takes => export::receive(request, &mut received),
            Answers::Refuses(_) | Answers::Never => Err(Refusal(503)),
        };
        self.changed.notify_all();
        taken
    }

    fn pass_on(&self, signal: Signal, request: &Request) {
        let Some(forward) = &self.forward else { return };
        let of_connection = ["host", "content-length", "connection", "accept", "user-agent"];
        let headers = request.headers.iter().filter(|(name, _)| !of_connection.contains(&name.as_str())).cloned();
        forward(Export { signal, headers: headers.collect(), body: Arc::from(request.body.as_slice()) });
    }
}
