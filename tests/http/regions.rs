//! `?regions=`, as the released Spring 5 server answered it: it has no remote region either.

use crate::client::Answer;
use crate::world::World;

/// Every spelling of the parameter that was measured.
const SPELLINGS: [&str; 7] = [
    "regions=eu-west-1",
    "regions=EU,us-east-1",
    "regions=b,a",
    "regions=",
    "regions=,",
    "regions=a&regions=b",
    "regions=%FF",
];

async fn a_registry() -> World {
    let world = World::new().await;
    world.register("APP", "i1").await;
    world.register("OTHER", "i2").await;
    world
}

/// The part of an answer that a client sees of the registry.
fn seen(answer: &Answer) -> (u16, String) {
    (answer.status, answer.text())
}

#[tokio::test]
async fn a_region_that_is_not_there_adds_nothing_to_the_local_registry() {
    let world = a_registry().await;
    for target in ["/eureka/apps", "/eureka/apps/", "/eureka/apps/delta"] {
        let plain = world.get(target).await;
        assert_eq!(plain.status, 200);
        assert!(plain.text().contains(r#""apps__hashcode":"UP_2_""#));
        for spelling in SPELLINGS {
            let answer = world.get(&format!("{target}?{spelling}")).await;
            assert_eq!(seen(&answer), seen(&plain), "{target}?{spelling}");
        }
    }
}

#[tokio::test]
async fn a_full_fetch_with_regions_has_version_1_and_its_delta_goes_on_from_it() {
    let world = a_registry().await;
    let full = world.get("/eureka/apps/?regions=eu").await.json();
    assert_eq!(full["applications"]["versions__delta"], "1");
    world.register("APP", "i3").await;
    let delta = world.get("/eureka/apps/delta?regions=eu").await.json();
    let hash = &delta["applications"]["apps__hashcode"];
    assert_eq!(hash, "UP_3_");
    let again = world.get("/eureka/apps/?regions=eu").await.json();
    assert_eq!(&again["applications"]["apps__hashcode"], hash);
}

#[tokio::test]
async fn the_other_reads_do_not_look_at_regions() {
    let world = a_registry().await;
    for target in [
        "/eureka/vips/va",
        "/eureka/svips/sa",
        "/eureka/vips/nobody",
        "/eureka/apps/APP",
        "/eureka/apps/APP/i1",
        "/eureka/instances/i1",
    ] {
        let plain = world.get(target).await;
        for spelling in SPELLINGS {
            let answer = world.get(&format!("{target}?{spelling}")).await;
            assert_eq!(seen(&answer), seen(&plain), "{target}?{spelling}");
        }
    }
}
