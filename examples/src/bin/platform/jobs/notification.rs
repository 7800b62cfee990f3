//! The job `send_notification`.

use traced_apalis::apalis_core::task::data::Data;

use crate::{
    failure::Failure,
    notifier::{Notification, Notifications},
};

/// A job of its own: when nobody can be told, the payment is not tried again.
pub(super) async fn send_notification(
    notification: Notification,
    notifications: Data<Notifications>,
) -> Result<(), Failure> {
    Ok(notifications.publish(&notification).await?)
}
