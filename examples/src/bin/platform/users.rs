//! The service that knows the users: who they are by gRPC, where they live by HTTP.

pub(crate) mod client;
pub(crate) mod messages;

use anyhow::Context as _;
use axum::{Json, Router, extract::Path, http::StatusCode, routing::get};
use client::Address;
use messages::{GetUserRequest, User};
use rpc::users_server::{self, UsersServer};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};
use tonic_tracing_opentelemetry::middleware::server::OtelGrpcLayer;

use crate::{service, settings::Settings, shutdown::Shutdown};

pub(crate) const NAME: &str = "user-service";
const PORT: u16 = 8081;

/// `users.Users`, written by build.rs.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, clippy::restriction)]
pub(crate) mod rpc {
    tonic::include_proto!("users.Users");
}

/// Id, name, city.
const USERS: [[&str; 3]; 3] =
    [["ada", "Ada", "London"], ["grace", "Grace", "Arlington"], ["edsger", "Edsger", "Nuenen"]];

pub(crate) async fn serve() -> anyhow::Result<()> {
    let _telemetry = traced_telemetry::Setup::new(NAME).version(env!("CARGO_PKG_VERSION")).init()?;
    let settings = Settings::from_environment(PORT)?;
    let shutdown = Shutdown::on_signal()?;

    let grpc = TcpIncoming::bind(settings.grpc_listen)
        .with_context(|| format!("cannot listen on {}", settings.grpc_listen))?;
    // A SERVER span for each call, its parent from the call's metadata.
    let server = Server::builder().layer(OtelGrpcLayer::default()).add_service(UsersServer::new(Directory));
    let requested = shutdown.clone();
    let work = async { Ok(server.serve_with_incoming_shutdown(grpc, async move { requested.wait().await }).await?) };

    let routes = Router::new().route("/users/{id}/address", get(address));
    service::run(&settings, routes, shutdown, work).await
}

struct Directory;

#[tonic::async_trait]
impl users_server::Users for Directory {
    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let [id, name, _] = find(&request.get_ref().id).ok_or_else(|| Status::not_found("no such user"))?;
        Ok(Response::new(User { id: id.to_owned(), name: name.to_owned() }))
    }
}

async fn address(Path(id): Path<String>) -> Result<Json<Address>, StatusCode> {
    let [_, _, city] = find(&id).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(Address { city: city.to_owned() }))
}

/// A span made with `tracing`: the request's child.
#[tracing::instrument(name = "find user", fields(user.id = id))]
fn find(id: &str) -> Option<[&'static str; 3]> {
    USERS.into_iter().find(|[user, ..]| *user == id)
}
