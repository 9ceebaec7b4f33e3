//! A Rust service on rust-eureka (crates.io), as it is released. Owns the control routes that every application here has
//! (`tests/clients/README.md`); touches Eureka only through the crate.
//!
//! The crate registers, deregisters and fetches all, on one server. It has no heartbeat, no timers and no metadata, so
//! this application does what a user of it has to: it registers again every `RENEWAL_SECONDS`, fetches every
//! `FETCH_SECONDS`, and asks the next server when one does not answer.

mod console;
mod routes;

use std::env;
use std::sync::Arc;
use std::time::Duration;

use rust_eureka::EurekaClient;
use rust_eureka::errors::EurekaClientError;
use rust_eureka::request::{DataCenterInfo, DcName, Instance, LeaseInfo, RegisterRequest, Status};
use rust_eureka::response::Applications;
use tokio::sync::Mutex;

/// The crate sends no instance id, so the server takes the host's name for it.
const HOST: &str = "127.0.0.1";

/// What the crate was last told and what it last found.
struct Service {
    servers: Vec<EurekaClient>,
    application: String,
    port: u16,
    lease_seconds: u32,
    state: Mutex<State>,
}

struct State {
    status: String,
    seen: Option<Applications>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    console::install();
    let service = Arc::new(Service::from_environment());
    service
        .register()
        .await
        .expect("the first registration succeeds");
    service.fetch().await;
    let renewing = Arc::clone(&service);
    tokio::spawn(async move { renewing.renew_every(seconds("RENEWAL_SECONDS")).await });
    let fetching = Arc::clone(&service);
    tokio::spawn(async move { fetching.fetch_every(seconds("FETCH_SECONDS")).await });
    routes::serve(service).await;
}

impl Service {
    fn from_environment() -> Self {
        let application = env::var("APP_NAME").unwrap_or_else(|_| "rust-service".to_owned());
        let urls = env::var("EUREKA_URLS").expect("EUREKA_URLS");
        // The crate adds /eureka, /v2 and their mixtures by itself and takes the first that is no 404.
        let base = |url: &str| {
            url.trim_end_matches('/')
                .trim_end_matches("/eureka")
                .to_owned()
        };
        Self {
            servers: urls
                .split(',')
                .map(|url| EurekaClient::new(&application, &base(url)))
                .collect(),
            application: application.to_uppercase(),
            port: env::var("PORT")
                .expect("PORT")
                .parse()
                .expect("PORT is a port"),
            lease_seconds: u32::try_from(seconds("LEASE_SECONDS").as_secs())
                .expect("a lease of some seconds"),
            state: Mutex::new(State {
                status: "UP".to_owned(),
                seen: None,
            }),
        }
    }

    /// Registers with the first server that takes it.
    async fn register(&self) -> Result<(), EurekaClientError> {
        let status = self.state.lock().await.status.clone();
        let mut last = Ok(());
        for server in &self.servers {
            last = server
                .register(
                    &self.application,
                    &RegisterRequest::new(self.instance(&status)),
                )
                .await;
            if last.is_ok() {
                break;
            }
        }
        last
    }

    fn instance(&self, status: &str) -> Instance {
        let page = format!("http://{HOST}:{}", self.port);
        Instance {
            host_name: HOST.to_owned(),
            app: self.application.clone(),
            ip_addr: HOST.to_owned(),
            vip_address: self.application.to_lowercase(),
            secure_vip_address: self.application.to_lowercase(),
            status: Status::from(status),
            port: Some(self.port),
            secure_port: None,
            homepage_url: format!("{page}/"),
            status_page_url: format!("{page}/hello"),
            health_check_url: format!("{page}/hello"),
            data_center_info: DataCenterInfo {
                name: DcName::MyOwn,
                metadata: None,
            },
            lease_info: Some(LeaseInfo {
                eviction_duration_in_secs: Some(self.lease_seconds),
            }),
            metadata: serde_json::Map::new(),
        }
    }

    /// Takes itself away from the first server that answers.
    async fn deregister(&self) -> Result<(), EurekaClientError> {
        let mut last = Ok(());
        for server in &self.servers {
            last = server.deregister(&self.application, HOST).await;
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// What the first server that answers has; what was seen before stays if none does.
    async fn fetch(&self) {
        for server in &self.servers {
            match server.get_applications().await {
                Ok(found) => {
                    self.state.lock().await.seen = Some(found.applications);
                    return;
                }
                Err(problem) => log::warn!("could not fetch: {problem}"),
            }
        }
    }

    async fn renew_every(&self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            if let Err(problem) = self.register().await {
                log::warn!("could not register again: {problem}");
            }
        }
    }

    async fn fetch_every(&self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            self.fetch().await;
        }
    }
}

fn seconds(name: &str) -> Duration {
    let text = env::var(name).unwrap_or_else(|_| panic!("{name}"));
    Duration::from_secs(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number of seconds")),
    )
}
