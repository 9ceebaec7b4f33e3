//! What `serve` says first.
//!
//! Owns the three lines that tell a person where everything is. It may not know what a node does.

use std::path::Path;

use super::config::BaseUrl;

/// Three lines: where the page, the Eureka URL and the data are.
pub fn banner(http: &BaseUrl, data_dir: &Path) -> String {
    // Relative to a working directory nobody remembers, a path says nothing.
    let data_dir = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    format!(
        "page    {http}/\neureka  {http}/eureka/\ndata    {}\n",
        data_dir.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_is_three_lines() {
        let http: BaseUrl = "http://127.0.0.1:8761".parse().unwrap();
        assert_eq!(
            banner(&http, Path::new("/var/lib/eureka-raft")),
            "page    http://127.0.0.1:8761/\n\
             eureka  http://127.0.0.1:8761/eureka/\n\
             data    /var/lib/eureka-raft\n"
        );
    }
}
