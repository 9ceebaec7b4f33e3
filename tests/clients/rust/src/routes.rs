//! Owns the control routes; touches the crate only through `Service`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::{HOST, Service};

const NO_METADATA: &str =
    "rust-eureka cannot send metadata: it registers an empty map, whatever it is given";

struct Control {
    service: Arc<Service>,
    stopped: Notify,
}

type Answer = (StatusCode, String);

/// Until it is stopped, by signal or by request; then the service is cancelled and the process ends.
pub(crate) async fn serve(service: Arc<Service>) {
    let listener = TcpListener::bind((HOST, service.port))
        .await
        .expect("the port is free");
    let control = Arc::new(Control {
        service,
        stopped: Notify::new(),
    });
    let router = Router::new()
        .route("/hello", get(|| async { "hello from rust" }))
        .route("/seen", get(seen))
        .route("/ask/{name}", get(ask))
        .route("/metrics", get(metrics))
        .route("/status", put(set_status))
        .route(
            "/metadata",
            put(|| async { (StatusCode::NOT_IMPLEMENTED, NO_METADATA) }),
        )
        .route("/stop", post(stop))
        .with_state(Arc::clone(&control));
    axum::serve(listener, router)
        .with_graceful_shutdown(ended(control))
        .await
        .expect("it serves");
}

async fn ended(control: Arc<Control>) {
    tokio::select! {
        () = control.stopped.notified() => {}
        () = terminated() => {
            if let Err(problem) = control.service.deregister().await {
                eprintln!("could not cancel: {problem}");
                std::process::exit(1);
            }
        }
    }
    // The renewing task would register again.
    std::process::exit(0);
}

async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate())
        .expect("SIGTERM can be waited for")
        .recv()
        .await;
}

async fn seen(State(control): State<Arc<Control>>) -> Json<Value> {
    Json(Value::Array(described(&control).await))
}

/// What the last fetch found, as the control routes show it.
async fn described(control: &Control) -> Vec<Value> {
    let state = control.service.state.lock().await;
    let applications = state.seen.iter().flat_map(|seen| &seen.applications);
    applications
        .flat_map(|application| &application.instance)
        .map(|instance| {
            json!({
                "app": instance.app,
                // The crate drops the instance id.
                "id": instance.host_name,
                "status": String::from(&instance.status),
                "metadata": instance.metadata,
            })
        })
        .collect()
}

async fn ask(Path(name): Path<String>) -> Answer {
    (
        StatusCode::NOT_IMPLEMENTED,
        format!("rust-eureka finds instances and calls nobody: {name}"),
    )
}

async fn metrics(State(control): State<Arc<Control>>) -> String {
    format!("demo_instances_seen {}\n", described(&control).await.len())
}

/// The crate's only way: it registers with any status.
async fn set_status(
    State(control): State<Arc<Control>>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let Some(value) = query.get("value") else {
        return (StatusCode::BAD_REQUEST, "value".to_owned());
    };
    control.service.state.lock().await.status.clone_from(value);
    match control.service.register().await {
        Ok(()) => (StatusCode::OK, "registered again".to_owned()),
        Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, problem.to_string()),
    }
}

async fn stop(State(control): State<Arc<Control>>) -> Answer {
    match control.service.deregister().await {
        Ok(()) => {
            control.stopped.notify_one();
            (StatusCode::OK, "cancelled".to_owned())
        }
        Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, problem.to_string()),
    }
}
