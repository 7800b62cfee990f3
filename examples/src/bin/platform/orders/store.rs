//! The table of orders, in SQLite or PostgreSQL.

use anyhow::Context as _;
use serde_json::{Value, json};
use sqlx::{
    AnyPool, Row as _,
    any::{AnyPoolOptions, install_default_drivers},
};

use crate::{order::Order, tables};

/// Clones share the connections.
#[derive(Clone)]
pub(crate) struct Store {
    pool: AnyPool,
    system: &'static str,
}

impl Store {
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        install_default_drivers();
        let system = if url.starts_with("sqlite:") { "sqlite" } else { "postgresql" };
        let pool =
            AnyPoolOptions::new().max_connections(4).connect(url).await.context("no connection to the database")?;
        let table = "CREATE TABLE IF NOT EXISTS orders (
            id TEXT PRIMARY KEY, customer TEXT NOT NULL, item TEXT NOT NULL, quantity BIGINT NOT NULL,
            receipt TEXT NOT NULL, status TEXT NOT NULL
        )";
        tables::set_up(async || sqlx::query(table).execute(&pool).await.map(drop)).await?;
        Ok(Self { pool, system })
    }

    #[tracing::instrument(
        name = "INSERT orders", skip_all, err,
        fields(otel.kind = "client", db.system.name = self.system, db.operation.name = "INSERT", db.collection.name = "orders")
    )]
    pub(super) async fn insert(&self, order: &Order, receipt: String) -> anyhow::Result<()> {
        let insert = "INSERT INTO orders (id, customer, item, quantity, receipt, status) VALUES ($1, $2, $3, $4, $5, 'accepted')";
        let insert = sqlx::query(insert).bind(&order.id).bind(&order.user).bind(&order.item);
        insert.bind(i64::from(order.quantity)).bind(receipt).execute(&self.pool).await?;
        Ok(())
    }

    /// `paid` or `failed`.
    #[tracing::instrument(
        name = "UPDATE orders", skip_all, err,
        fields(otel.kind = "client", db.system.name = self.system, db.operation.name = "UPDATE", db.collection.name = "orders", order.status = status)
    )]
    pub(crate) async fn update(&self, id: &str, status: &'static str) -> anyhow::Result<()> {
        sqlx::query("UPDATE orders SET status = $1 WHERE id = $2").bind(status).bind(id).execute(&self.pool).await?;
        Ok(())
    }

    #[tracing::instrument(
        name = "SELECT orders", skip_all, err,
        fields(otel.kind = "client", db.system.name = self.system, db.operation.name = "SELECT", db.collection.name = "orders")
    )]
    pub(super) async fn find(&self, id: &str) -> anyhow::Result<Option<Value>> {
        let select = "SELECT id, customer, item, quantity, receipt, status FROM orders WHERE id = $1";
        let Some(row) = sqlx::query(select).bind(id).fetch_optional(&self.pool).await? else { return Ok(None) };
        let text = |column| row.try_get::<String, _>(column);
        Ok(Some(json!({
            "id": text("id")?, "user": text("customer")?, "item": text("item")?,
            "quantity": row.try_get::<i64, _>("quantity")?, "receipt": text("receipt")?, "status": text("status")?,
        })))
    }
}
