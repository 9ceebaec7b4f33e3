//! Documents of pretended clients.
//!
//! Owns a register body in the shape Netflix's Java client sends.

/// A register body with a lease of `duration` seconds, to be renewed at a third of it.
pub fn body(app: &str, id: &str, duration: u32) -> String {
    let interval = (duration / 3).max(1);
    format!(
        concat!(
            r#"{{"instance":{{"instanceId":"{id}","hostName":"{id}.example","app":"{app}","ipAddr":"10.0.0.5","status":"UP","#,
            r#""overriddenStatus":"UNKNOWN","port":{{"$":8080,"@enabled":"true"}},"securePort":{{"$":443,"@enabled":"false"}},"#,
            r#""countryId":1,"dataCenterInfo":{{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}},"#,
            r#""leaseInfo":{{"renewalIntervalInSecs":{interval},"durationInSecs":{duration}}},"metadata":{{"zone":"z1"}},"#,
            r#""homePageUrl":"http://{id}.example:8080/","vipAddress":"{vip}","secureVipAddress":"{vip}","#,
            r#""isCoordinatingDiscoveryServer":"false","lastUpdatedTimestamp":"1700000000000","lastDirtyTimestamp":"1700000000000"}}}}"#
        ),
        id = id,
        app = app,
        duration = duration,
        interval = interval,
        vip = app.to_lowercase(),
    )
}
