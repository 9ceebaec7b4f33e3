//! Makes a stopped node's state wrong, every checksum right: `alter_state DATA_DIR SHIFT_MS`.
//!
//! Owns nothing but its arguments: a tool of the fault rows, no part of the product.

#[path = "../tests/support/altering.rs"]
#[allow(unreachable_pub, reason = "shared with the tests")]
mod altering;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let root = arguments
        .next()
        .expect("the data directory of a stopped node");
    let shift = arguments.next().and_then(|text| text.parse().ok());
    let index = altering::alter(root.as_ref(), shift.unwrap_or(1));
    println!("altered entry {index}");
}
