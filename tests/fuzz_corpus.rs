//! Every input of the fuzz corpus, through the same judges, on every `cargo test`.
//!
//! Owns nothing but the replay: what must hold is in fuzz/src, compiled in here as it is there, so that
//! an input once found stays found without a fuzzer.

#![cfg(feature = "server")]

use std::fs;
use std::path::{Path, PathBuf};

use eureka_raft::wire::Format;
use eureka_raft::{registry, wire};

#[path = "../fuzz/src/lib.rs"]
mod oracles;

#[global_allocator]
static COUNTED: oracles::allocations::Counted = oracles::allocations::Counted;

/// The inputs of a target in the tree, by name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new("fuzz/corpus").join(target);
    let mut names: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("a corpus for each target")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    names.sort();
    assert!(names.len() >= 5, "{} is nearly empty", folder.display());
    names
        .into_iter()
        .map(|name| {
            let input = fs::read(&name).expect("a readable input");
            (name, input)
        })
        .collect()
}

/// Judges a target's whole corpus. Inputs whose name says so are refused, the others accepted: an oracle
/// that refuses everything proves nothing.
fn replay(target: &str, judge: impl Fn(&[u8]) -> bool) {
    for (name, input) in corpus(target) {
        eprintln!("{}", name.display());
        let accepted = judge(&input);
        let file = name.file_name().and_then(|name| name.to_str());
        let refused = file.is_some_and(|name| name.starts_with("refused-"));
        assert_ne!(accepted, refused, "{}", name.display());
    }
}

#[test]
fn every_json_body_of_the_corpus_is_answered_within_bounds() {
    replay("json_body", |body| oracles::body::judge(Format::Json, body));
}

#[test]
fn every_batch_of_the_corpus_has_an_answer_an_item_within_bounds() {
    replay("batch", oracles::batch::judge);
}

#[test]
fn every_xml_body_of_the_corpus_is_answered_within_bounds() {
    replay("xml_body", |body| oracles::body::judge(Format::Xml, body));
}

#[test]
fn every_path_of_the_corpus_is_answered_within_bounds() {
    replay("path", oracles::target::judge_path);
}

#[test]
fn every_query_of_the_corpus_is_answered_within_bounds() {
    replay("query", oracles::target::judge_query);
}

/// As long as a body may be by default, in bytes.
const BODY_BYTES: usize = 256 * 1024;

const JSON_CORE: &str =
    r#""hostName":"h","app":"DEMO","ipAddr":"1.1.1.1","dataCenterInfo":{"name":"MyOwn"}"#;
const XML_CORE: &str = "<hostName>h</hostName><app>DEMO</app><ipAddr>1.1.1.1</ipAddr><dataCenterInfo><name>MyOwn</name></dataCenterInfo>";

/// `before`, then `filling` until the body is as long as it may be, then `after`.
fn filled(before: &str, filling: &str, after: &str) -> String {
    let room = BODY_BYTES - before.len() - after.len();
    format!("{before}{}{after}", filling.repeat(room / filling.len()))
}

fn json(before: &str, filling: &str, after: &str) -> String {
    let before = format!(r#"{{"instance":{{{JSON_CORE},{before}"#);
    filled(&before, filling, &format!("{after}}}}}"))
}

fn xml(before: &str, filling: &str, after: &str) -> String {
    let before = format!("<instance>{XML_CORE}{before}");
    filled(&before, filling, &format!("{after}</instance>"))
}

#[test]
fn the_longest_json_bodies_are_answered_within_twice_their_length() {
    let bodies = [
        json(r#""vipAddress":""#, "v", r#"""#),
        json(r#""vipAddress":"\n"#, "v", r#"""#),
        json(r#""vipAddress":""#, "v", r#"\n""#),
        json(r#""vipAddress":""#, r"\n", r#"""#),
        json(r#""vipAddress":""#, r"\u0301", r#"""#),
        json(r#""metadata":{"\n"#, "k", r#"":"v"}"#),
        json(r#""metadata":{"k":"\n"#, "v", r#""}"#),
        json(r#""metadata":{"#, r#""k":"\n","#, r#""k":"v"}"#),
        json(r#""metadata":{"#, r#""":"","#, r#""":""}"#),
        json("", r#""sid":"\n","#, r#""sid":"""#),
        json("", r#""\n":1,"#, r#""sid":"""#),
        json(r#""appGroupName":""#, "\u{390}", r#"""#),
        json(r#""metadata":""#, "\u{301}", r#"""#),
        json(r#""leaseInfo":""#, "\u{301}", r#"""#),
        json(r#""port":""#, "\u{301}", r#"""#),
        json(r#""port":{"$":""#, "9", r#""}"#),
        json(r#""lastDirtyTimestamp":"#, "9", ""),
        json(r#""dataCenterInfo":{"name":""#, "\u{301}", r#""}"#),
        json(r#""dataCenterInfo":""#, "\u{301}", r#"""#),
        json(
            r#""dataCenterInfo":{"name":"Amazon","metadata":{"k":"\n"#,
            "v",
            r#""}}"#,
        ),
        json(r#""instanceId":""#, "\u{301}", r#"""#),
        json(r#""x":"#, "[", ""),
        json(r#""x":["#, "[],", "[]]"),
        json(r#""x":"\n"#, "\u{301}", r#"""#),
        filled(r#"{"instance":""#, "\u{301}", r#""}"#),
        filled(r#"{""#, "\u{301}", r#"":1}"#),
        filled(r#"""#, "\u{301}", r#"""#),
        filled("", "\u{301}", ""),
        filled("", " ", ""),
    ];
    for body in bodies {
        eprintln!("{}", body.chars().take(160).collect::<String>());
        oracles::body::judge(Format::Json, body.as_bytes());
    }
}

/// An element with more attributes than there may be; a parser that compares all of them takes seconds.
fn many_attributes() -> String {
    let attributes = (0..20_000).map(|n| format!("a{n}='' "));
    format!("<x {}", attributes.collect::<String>())
}

#[test]
fn the_longest_xml_bodies_are_answered_within_twice_their_length() {
    let name = "n".repeat(BODY_BYTES / 3);
    let bodies = [
        xml("<vipAddress>", "v", "</vipAddress>"),
        xml("<vipAddress>&amp;", "v", "</vipAddress>"),
        xml("<vipAddress>", "v", "&amp;</vipAddress>"),
        xml("<vipAddress>", "&amp;", "</vipAddress>"),
        xml("<vipAddress>", "<![CDATA[]]>", "</vipAddress>"),
        xml("<vipAddress>", "\r\n", "</vipAddress>"),
        xml("<vipAddress>&", "\u{301}", ";</vipAddress>"),
        xml("<vipAddress>&", "x", "</vipAddress>"),
        xml("", "<sid>&amp;</sid>", ""),
        xml("<metadata>", "<k>&amp;</k>", "</metadata>"),
        xml("<metadata>", "<k/>", "</metadata>"),
        xml("<metadata><k>", "v", "&amp;</k></metadata>"),
        xml("<metadata><_.zz", "\u{301}", "/></metadata>"),
        xml("<metadata><", "__", "/></metadata>"),
        xml("<metadata><", "_.0301", "/></metadata>"),
        xml("<metadata><", "_.d83d_.de42", "/></metadata>"),
        xml("<x a='", "v", "'/>"),
        xml("<x ", "a='' ", "/>"),
        xml(&many_attributes(), "a", "=''/>"),
        xml("<port ", "a='' ", "enabled='true'>1</port>"),
        xml("<port enabled='", "&amp;", "'>1</port>"),
        xml("<port>", "\u{301}", "</port>"),
        xml("<!--", "-", ">"),
        xml("<?", "x", ">"),
        xml("", "<x>", ""),
        xml("", "<x/>", ""),
        xml("<", "\u{301}", "></y>"),
        filled("<instance></", "\u{301}", ">"),
        filled("<instance>", "\u{301}", ""),
        format!("<instance><{name}></{name}x>"),
        format!("<instance><{name}><a{}/></{name}>", "x".repeat(1_000)),
        filled("<!DOCTYPE x [", "<!ENTITY a 'b'>", "]>"),
        filled("", " ", ""),
    ];
    for body in bodies {
        eprintln!("{}", body.chars().take(160).collect::<String>());
        oracles::body::judge(Format::Xml, body.as_bytes());
    }
}
