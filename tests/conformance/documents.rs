//! What cases send, and how they find things in what comes back.
//!
//! Owns a register body that can be bent field by field, and the usual headers. It may not send anything.

use serde_json::{Map, Value, json};

pub(super) const JSON: (&str, &str) = ("Accept", "application/json");
pub(super) const XML: (&str, &str) = ("Accept", "application/xml");

/// What makes a request one of a peer's.
pub(super) const REPLICATED: (&str, &str) = ("x-netflix-discovery-replication", "true");

/// The `lastDirtyTimestamp` of an instance as first made, ms.
pub(super) const T: u64 = 1_700_000_000_000;

/// The class Java gives every data center but Amazon's.
pub(super) const DEFAULT_CLASS: &str = "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo";

/// A registration in the making, with every field a Netflix client sends.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    app: String,
    fields: Map<String, Value>,
}

impl Instance {
    pub(super) fn new(app: &str, id: &str) -> Self {
        let vip = app.to_lowercase();
        let fields = json!({
            "instanceId": id, "hostName": "host1", "app": app, "ipAddr": "10.0.0.5", "status": "UP",
            "overriddenStatus": "UNKNOWN", "port": { "$": 8080, "@enabled": "true" },
            "securePort": { "$": 443, "@enabled": "false" }, "countryId": 1,
            "dataCenterInfo": { "@class": DEFAULT_CLASS, "name": "MyOwn" },
            "leaseInfo": { "renewalIntervalInSecs": 30, "durationInSecs": 3_600 },
            "metadata": { "zone": "z1" }, "homePageUrl": "http://host1:8080/",
            "statusPageUrl": "http://host1:8080/info", "healthCheckUrl": "http://host1:8080/health",
            "vipAddress": vip, "secureVipAddress": vip, "isCoordinatingDiscoveryServer": "false",
            "lastUpdatedTimestamp": T.to_string(), "lastDirtyTimestamp": T.to_string(),
        });
        Self::of(app, fields)
    }

    /// The least that released servers accept; its id is its host name.
    pub(super) fn minimal(app: &str, host_name: &str) -> Self {
        let fields = json!({
            "hostName": host_name, "app": app, "ipAddr": "1.1.1.1",
            "dataCenterInfo": { "@class": DEFAULT_CLASS, "name": "MyOwn" },
        });
        Self::of(app, fields)
    }

    /// One in Amazon's cloud, with these entries in its data center.
    pub(super) fn amazon(app: &str, class: &str, metadata: &Value) -> Self {
        let mut data_center = json!({ "@class": class, "name": "Amazon" });
        if !metadata.is_null() {
            data_center["metadata"] = metadata.clone();
        }
        Self::new(app, "i-1").with("dataCenterInfo", data_center)
    }

    fn of(app: &str, fields: Value) -> Self {
        let Value::Object(fields) = fields else {
            unreachable!("only ever called with an object");
        };
        Self {
            app: app.to_owned(),
            fields,
        }
    }

    pub(super) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    pub(super) fn without(mut self, field: &str) -> Self {
        self.fields.remove(field).expect("a field it has");
        self
    }

    /// With its lease and the interval at which it says it renews, in seconds.
    pub(super) fn lease(self, duration: u32, interval: u32) -> Self {
        let lease = json!({ "renewalIntervalInSecs": interval, "durationInSecs": duration });
        self.with("leaseInfo", lease)
    }

    /// In this status, said at `dirty`.
    pub(super) fn says(self, status: &str, dirty: u64) -> Self {
        self.with("status", status)
            .with("lastDirtyTimestamp", dirty.to_string())
    }

    pub(super) fn app(&self) -> &str {
        &self.app
    }

    pub(super) fn json(&self) -> String {
        json!({ "instance": self.fields }).to_string()
    }

    /// Its fields without the wrapper, as peers replicate them.
    pub(super) fn fields(&self) -> Value {
        self.fields.clone().into()
    }

    /// One field as it is sent.
    pub(super) fn field(&self, name: &str) -> &Value {
        &self.fields[name]
    }
}

/// Every instance of a list.
pub(super) fn instances(list: &Value) -> Vec<&Value> {
    let applications = list["applications"]["application"]
        .as_array()
        .expect("an array");
    applications
        .iter()
        .flat_map(|application| application["instance"].as_array().expect("an array"))
        .collect()
}

/// One instance of a list; at most one may be of that application and id.
pub(super) fn listed(list: &Value, app: &str, id: &str) -> Option<Value> {
    let found: Vec<&Value> = instances(list)
        .into_iter()
        .filter(|instance| instance["app"] == app && instance["instanceId"] == id)
        .collect();
    assert!(found.len() <= 1, "{app}/{id} is listed twice");
    found.first().map(|instance| (*instance).clone())
}

/// The status counts of a list in Eureka's form, over the five statuses in alphabetic order.
pub(super) fn counted(list: &Value) -> String {
    let shown = instances(list);
    ["DOWN", "OUT_OF_SERVICE", "STARTING", "UNKNOWN", "UP"]
        .into_iter()
        .map(|status| {
            let of_it = |instance: &&&Value| instance["status"] == status;
            (status, shown.iter().filter(of_it).count())
        })
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| format!("{status}_{count}_"))
        .collect()
}

/// A number of an instance's lease.
pub(super) fn lease_of(instance: &Value, name: &str) -> u64 {
    instance["leaseInfo"][name].as_u64().expect("a number")
}
