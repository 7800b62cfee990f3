//! A wire between client and broker that can be cut, or held so that the broker's answers do not arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Proxy {
    url: String,
    held: Arc<AtomicBool>,
    /// Changed to cut every connection.
    cut: watch::Sender<()>,
}

impl Proxy {
    /// Listens on a free port, for as long as the test's runtime runs.
    pub(crate) async fn start(broker: &str) -> Result<Self> {
        let (user, rest) = broker.rsplit_once('@').context("user@host")?;
        let (place, path) = rest.split_once('/').context("host/path")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("{user}@{}/{path}", listener.local_addr()?);
        let (held, (cut, cutting)) = (Arc::new(AtomicBool::new(false)), watch::channel(()));
        let (place, holding) = (place.to_owned(), Arc::clone(&held));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(broker) = TcpStream::connect(&place).await else { continue };
                tokio::spawn(join(client, broker, Arc::clone(&holding), cutting.clone()));
            }
        });
        Ok(Self { url, held, cut })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What the broker says from now on is lost, until the broker itself is.
    pub(crate) fn hold(&self) {
        self.held.store(true, Ordering::SeqCst);
    }

    /// Breaks the connections that there are; new ones are taken.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(());
    }
}

async fn join(client: TcpStream, broker: TcpStream, held: Arc<AtomicBool>, mut cut: watch::Receiver<()>) {
    cut.mark_unchanged();
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    tokio::select! {
        _ = cut.changed() => {}
        () = copy(from_client, to_broker, Arc::default()) => {}
        () = copy(from_broker, to_client, held) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, held: Arc<AtomicBool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let said = buffer.get(..length).unwrap_or_default();
        if !held.load(Ordering::SeqCst) && to.write_all(said).await.is_err() {
            return;
        }
    }
}
