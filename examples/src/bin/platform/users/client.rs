//! How other services ask for users.

use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use tonic_tracing_opentelemetry::middleware::client::{OtelGrpcLayer, OtelGrpcService};
use tower_layer::Layer as _;

use super::{
    messages::{GetUserRequest, User},
    rpc::users_client::UsersClient,
};
use crate::{http_client::HttpClient, settings::Settings};

/// A user service that hangs holds no customer up for longer.
const CONNECT: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Address {
    pub(crate) city: String,
}

/// Clones share the connections.
#[derive(Clone)]
pub(crate) struct Users {
    grpc: UsersClient<OtelGrpcService<Channel>>,
    http: HttpClient,
    users: Url,
}

impl Users {
    /// Connects with the first call.
    pub(crate) fn new(settings: &Settings, http: HttpClient) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(settings.user_service_grpc_url.clone())?;
        let channel = endpoint.connect_timeout(CONNECT).timeout(LIMIT).connect_lazy();
        // A CLIENT span for each call, and its context in the call's metadata.
        let grpc = UsersClient::new(OtelGrpcLayer.layer(channel));
        Ok(Self { grpc, http, users: Url::parse(&format!("{}/users", settings.user_service_url))? })
    }

    pub(crate) async fn get(&self, id: &str) -> Result<User, Status> {
        let request = GetUserRequest { id: id.to_owned() };
        Ok(self.grpc.clone().get_user(request).await?.into_inner())
    }

    pub(crate) async fn address(&self, id: &str) -> reqwest::Result<Address> {
        let mut url = self.users.clone();
        // What a user typed stays one segment of the path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([id, "address"]);
        }
        self.http.send(self.http.get(url)).await?.json().await
    }
}
