//! What `users.Users` takes and gives.

/// By the user's id.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetUserRequest {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
}

/// Somebody who may order.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct User {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
}
