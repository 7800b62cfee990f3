use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, atomic::Ordering},
    thread,
};

use crate::{Answers, Export, Received, connection::State};

/// An OTLP endpoint on a free port of loopback.
///
/// It has threads of its own: exporters block, and must not wait for the test's runtime. Dropped, it takes no connection any more,
/// and no further request on those that are open.
pub struct Collector {
    address: SocketAddr,
    pub(crate) state: Arc<State>,
}

impl Collector {
    /// Starts one that takes what it gets.
    ///
    /// # Errors
    ///
    /// When loopback has no free port.
    pub fn start() -> io::Result<Self> {
        Self::answering(Answers::Takes)
    }

    /// Starts one that answers like this.
    ///
    /// # Errors
    ///
    /// When loopback has no free port.
    pub fn answering(answers: Answers) -> io::Result<Self> {
        Self::listen(State::new(answers, None))
    }

    /// Starts one that takes what it gets, and hands each request on: `forward` is called before the exporter gets its answer.
    ///
    /// # Errors
    ///
    /// When loopback has no free port.
    pub fn forwarding(forward: impl Fn(Export) + Send + Sync + 'static) -> io::Result<Self> {
        Self::listen(State::new(Answers::Takes, Some(Box::new(forward))))
    }

    fn listen(state: State) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(state);
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.ended.load(Ordering::SeqCst) {
                    break;
                }
                let serving = Arc::clone(&accepting);
                // What is no request of OTLP ends its connection, and the exporter reports a failure.
                thread::spawn(move || serving.serve(stream));
            }
        });
        Ok(Self { address, state })
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A copy of what arrived.
    #[must_use]
    pub fn received(&self) -> Received {
        self.state.received().clone()
    }

    /// Looks at what arrived without copying it. Exporters wait meanwhile.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let collector = test_collector::Collector::start()?;
    /// assert_eq!(collector.inspect(|received| received.requests()), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn inspect<T>(&self, look: impl FnOnce(&Received) -> T) -> T {
        look(&self.state.received())
    }

    /// Forgets what arrived.
    pub fn clear(&self) {
        *self.state.received() = Received::default();
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections, which then ends and closes the port.
        drop(TcpStream::connect(self.address));
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("address", &self.address).finish_non_exhaustive()
    }
}

/// An endpoint where nothing listens.
///
/// # Errors
///
/// When loopback has no free port.
pub fn unreachable() -> io::Result<String> {
    Ok(format!("http://{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?))
}
