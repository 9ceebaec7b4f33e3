//! HEAD, OPTIONS and methods a route does not have.

use std::collections::BTreeSet;

use crate::world::World;

/// Routes with the methods that released servers list for them in their answer to OPTIONS.
const ROUTES: [(&str, &str); 11] = [
    ("/eureka/apps", "HEAD,GET,OPTIONS"),
    ("/eureka/apps/", "HEAD,GET,OPTIONS"),
    ("/eureka/apps/delta", "HEAD,GET,OPTIONS"),
    ("/eureka/apps/APP", "HEAD,POST,GET,OPTIONS"),
    ("/eureka/apps/APP/i1", "HEAD,DELETE,GET,OPTIONS,PUT"),
    ("/eureka/apps/APP/i1/status", "DELETE,OPTIONS,PUT"),
    ("/eureka/apps/APP/i1/metadata", "OPTIONS,PUT"),
    ("/eureka/vips/va", "HEAD,GET,OPTIONS"),
    ("/eureka/svips/sa", "HEAD,GET,OPTIONS"),
    ("/eureka/instances/i1", "HEAD,GET,OPTIONS"),
    ("/eureka/asg/x/status", "OPTIONS,PUT"),
];

fn methods(list: &str) -> BTreeSet<&str> {
    list.split(',').map(str::trim).collect()
}

/// Theirs sends a description of its classes to who asks for it or for anything (D-05).
#[tokio::test]
async fn options_lists_the_methods_of_released_servers_and_nothing_else() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    for accept in ["*/*", "application/json", "text/plain", "text/html"] {
        for (target, theirs) in ROUTES {
            let answer = world
                .send("OPTIONS", target, &[("Accept", accept)], b"")
                .await;
            let ours = methods(answer.header("allow").expect("a list"));
            assert_eq!(ours, methods(theirs), "{target}");
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{target}");
            assert_eq!(answer.header("content-length"), Some("0"), "{target}");
            assert_eq!(answer.header("content-type"), None, "{target}");
        }
    }
}

/// The list of theirs names no HEAD here (D-03).
#[tokio::test]
async fn a_method_a_route_does_not_have_is_an_empty_405_that_lists_them() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    for (target, theirs) in ROUTES {
        let answer = world.ask("PATCH", target).await;
        assert_eq!((answer.status, answer.body.len()), (405, 0), "{target}");
        let ours = methods(answer.header("allow").expect("a list"));
        assert_eq!(ours, methods(theirs), "{target}");
    }
    for (method, target) in [
        ("DELETE", "/eureka/apps/APP"),
        ("POST", "/eureka/apps"),
        ("POST", "/eureka/apps/delta"),
        ("GET", "/eureka/apps/APP/i1/status"),
        ("HEAD", "/eureka/apps/APP/i1/metadata"),
    ] {
        assert_eq!(
            world.ask(method, target).await.status,
            405,
            "{method} {target}"
        );
    }
    assert_eq!(
        world.get("/eureka/apps/APP/i1").await.status,
        200,
        "nothing was done"
    );
}

/// Released Spring servers say 404, Netflix's 405 (D-04).
#[tokio::test]
async fn a_collection_without_a_name_is_known_but_has_no_method() {
    let world = World::new().await;
    for target in ["/eureka/vips", "/eureka/svips", "/eureka/instances"] {
        let answer = world.get(target).await;
        let listed = answer.header("allow");
        assert_eq!((answer.status, listed), (405, Some("OPTIONS")), "{target}");
        assert_eq!(world.ask("OPTIONS", target).await.status, 200, "{target}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    for target in [
        "/eureka/apps",
        "/eureka/apps/delta",
        "/eureka/apps/APP",
        "/eureka/apps/APP/i1",
        "/eureka/apps/APP/none",
        "/eureka/vips/va",
        "/eureka/svips/none",
        "/eureka/instances/i1",
        "/eureka/status",
        "/",
        "/lastn",
    ] {
        for accept in ["application/json", "text/plain"] {
            for encoding in ["gzip", "identity"] {
                let headers = [("Accept", accept), ("Accept-Encoding", encoding)];
                let get = world.send("GET", target, &headers, b"").await;
                let head = world.send("HEAD", target, &headers, b"").await;
                assert_eq!((head.status, head.body.len()), (get.status, 0), "{target}");
                for name in ["content-length", "content-type", "content-encoding", "etag"] {
                    // A refusal of HEAD is sent without a length, which says no less.
                    if get.status == 200 || name != "content-length" {
                        assert_eq!(head.header(name), get.header(name), "{target} {name}");
                    }
                }
            }
        }
    }
}
