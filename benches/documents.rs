//! How long one registration takes to read, and one instance to write.
//!
//! Owns the figures that are promised: a register body read in at most 5 µs, an instance written in
//! at most 2 µs, on one core. Measured is the CPU time of the thread, so that others who use the machine
//! count little; `serde_json` reading the same body into a `Value` stands beside them, because on a slow
//! machine the proportion says more than the time.
//!
//! Run: `cargo bench --no-default-features --features documents --bench documents`.
#![expect(
    clippy::unwrap_used,
    reason = "Criterion's macros make public functions, and a bench has no caller"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use eureka_raft::registry::{ActionType, Instance, Record};
use eureka_raft::wire::{self, Form, Format};
use rustix::time::{ClockId, clock_gettime};

/// What released clients send, as the fuzz targets start from it.
const BODIES: [(&str, Format, &str); 3] = [
    (
        "json/netflix",
        Format::Json,
        include_str!("../fuzz/corpus/json_body/netflix.json"),
    ),
    (
        "json/spring",
        Format::Json,
        include_str!("../fuzz/corpus/json_body/spring.json"),
    ),
    (
        "xml/netflix",
        Format::Xml,
        include_str!("../fuzz/corpus/xml_body/netflix.xml"),
    ),
];

fn decoded((_, format, body): (&str, Format, &str)) -> Instance {
    wire::decode_registration(format, body.as_bytes(), "DEMO").unwrap()
}

fn record(instance: Instance) -> Record {
    Record {
        status: instance.status,
        overridden: instance.overridden,
        last_dirty_ms: instance.last_dirty_ms.unwrap_or(1),
        instance: Arc::new(instance),
        action: ActionType::Added,
        last_updated_ms: 1_795_227_514_223,
        registered_ms: 1_795_227_514_223,
        renewed_ms: 1_795_227_514_223,
        service_up_ms: 1_795_227_514_223,
        evicted_ms: 0,
        slot: 0,
        generation: 0,
        index: 1,
    }
}

/// Time this thread was on a core.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::try_from(now).unwrap()
    }

    fn end(&self, started: Duration) -> Duration {
        self.start() - started
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn decode(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("decode");
    for body in BODIES {
        let (name, format, text) = body;
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| wire::decode_registration(format, black_box(text.as_bytes()), "DEMO"));
        });
    }
    let netflix = BODIES[0].2.as_bytes();
    group.bench_function("json/netflix by serde_json::Value, to compare", |bencher| {
        bencher.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(netflix)));
    });
    group.finish();
}

/// An instance alone, and as one of a hundred in an application of a list.
fn encode(criterion: &mut Criterion<CpuTime>) {
    const MANY: usize = 100;
    let one = record(decoded(BODIES[0]));
    let name = one.instance.app.clone();
    let many = vec![one.clone(); MANY];
    let mut group = criterion.benchmark_group("encode");
    for (format_name, format) in [("json", Format::Json), ("xml", Format::Xml)] {
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("{format_name}/one"), |bencher| {
            bencher.iter(|| wire::instance_document(format, black_box(&one), 1_795_227_514_223));
        });
        group.throughput(Throughput::Elements(MANY as u64));
        group.bench_function(format!("{format_name}/hundred"), |bencher| {
            bencher.iter_batched(
                || many.iter(),
                |records| wire::application_fragment(format, Form::Full, &name, records),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = decode, encode
);
criterion_main!(benches);
