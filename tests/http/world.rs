//! A server in front of a fake node, and the requests most tests make.

use std::net::SocketAddr;
use std::sync::Arc;

use eureka_raft::http::{App, Limits, serve};
use eureka_raft::net::{Network, TcpNetwork};
use eureka_raft::registry::{Command, Origin, Registration};
use eureka_raft::wire::{Format, decode_registration};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::{self, Answer};
use crate::fake_node::FakeNode;

pub(crate) const JSON: (&str, &str) = ("Accept", "application/json");
pub(crate) const JSON_BODY: (&str, &str) = ("Content-Type", "application/json");

pub(crate) struct World {
    pub(crate) addr: SocketAddr,
    pub(crate) node: Arc<FakeNode>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let node = FakeNode::new();
        let listener = TcpNetwork.listen("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("a bound address");
        let metrics = prometheus_client::registry::Registry::default();
        let app = App::new(
            Arc::clone(&node),
            Arc::clone(&node.clock) as Arc<_>,
            limits,
            metrics,
        );
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, app, async {
            let _ = stopped.await;
        }));
        Self {
            addr,
            node,
            stop: Some(stop),
            serving: Some(serving),
        }
    }

    /// Stops the server and waits until all its connections have ended.
    pub(crate) async fn stop(&mut self) {
        let _ = self.stop.take().expect("not yet stopped").send(());
        self.serving
            .take()
            .expect("not yet stopped")
            .await
            .expect("no panic");
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        client::send(self.addr, method, target, headers, body).await
    }

    /// A request without a body that takes JSON.
    pub(crate) async fn ask(&self, method: &str, target: &str) -> Answer {
        self.send(method, target, &[JSON], b"").await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target).await
    }

    pub(crate) async fn post(&self, app: &str, body: &str) -> Answer {
        self.send(
            "POST",
            &format!("/eureka/apps/{app}"),
            &[JSON, JSON_BODY],
            body.as_bytes(),
        )
        .await
    }

    /// Registers `id` of `app`, and that succeeds.
    pub(crate) async fn register(&self, app: &str, id: &str) -> Answer {
        let answer = self.post(app, &instance(app, id, "UP")).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        answer
    }
}

/// A registration as Netflix's Java client sends it; its dirty timestamp is 1000.
pub(crate) fn instance(app: &str, id: &str, status: &str) -> String {
    serde_json::json!({"instance": {
        "instanceId": id, "hostName": "h1", "app": app, "ipAddr": "10.0.0.5", "status": status,
        "overriddenStatus": "UNKNOWN",
        "port": {"$": 8080, "@enabled": "true"}, "securePort": {"$": 443, "@enabled": "false"},
        "countryId": 1,
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 90},
        "metadata": {"zone": "z1"}, "homePageUrl": "http://h1:8080/", "vipAddress": "va,vb",
        "secureVipAddress": "sa", "isCoordinatingDiscoveryServer": "false",
        "lastUpdatedTimestamp": "1000", "lastDirtyTimestamp": "1000",
    }})
    .to_string()
}

/// The command that registers `id` of `app`.
pub(crate) fn registration(app: &str, id: &str) -> Command {
    let body = instance(app, id, "UP");
    let instance = decode_registration(Format::Json, body.as_bytes(), app).unwrap();
    Command::Register(Box::new(Registration {
        instance,
        origin: Origin::Client,
    }))
}
