//! How the runner asks services.

use std::time::Duration;

use anyhow::Result;
use reqwest::Client;

/// A client with connections of its own, for requests that may take so long.
///
/// In a program that is built together with `traced-telemetry`'s feature `tls`, reqwest wants a provider of cryptography, for HTTP without
/// TLS too. Services have it from `traced_telemetry::init`, which the runner does not call.
///
/// # Errors
///
/// reqwest's.
pub fn http_client(limit: Duration) -> Result<Client> {
    // An error: there is one already.
    rustls::crypto::ring::default_provider().install_default().ok();
    Ok(Client::builder().timeout(limit).build()?)
}
