//! Each RPC call that the program makes, its successes and its refusals: every
//! node answers what Kubo answered.
//!
//! `fixtures/kubo-answers.json` holds what a real Kubo said, and
//! `fixtures/kubo-0.31-answers.json` where that one, which Guix has packaged,
//! says something else. The embedded node is always compared, and so is the
//! Kubo at hand, if any; with `GUIX_IPFS_TEST_RECORD=1` that one writes its file
//! anew. `-- --nocapture` shows the counts.

mod client;
mod steps;

use crate::support::{TestNode, fixture};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use steps::{Compared, Step, steps};

/// A call that is not asked here is not known to be answered alike.
#[test]
fn every_call_of_the_program_is_asked() {
    let steps = steps();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/node");
    let mut calls = 0;
    for file in folder.read_dir().unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for (_, argument) in source
            .match_indices("call(")
            .map(|(at, _)| source.split_at(at + 5))
        {
            let Some(command) = argument.trim_start().strip_prefix('"') else {
                continue;
            };
            let command = command.split('"').next().unwrap();
            let is_it = |step: &Step| step.call.split('?').next() == Some(command);
            assert!(steps.iter().any(is_it), "{command} is not asked");
            calls += 1;
        }
    }
    assert!(calls > 20, "the calls are written in another way now");
}

on_both_nodes!(every_answer_is_the_one_that_kubo_gave);

/// Names in a query or an answer stand in braces, so that the file holds no
/// key of one node. These are the same everywhere.
const NAMES: [(&str, &str); 9] = [
    ("{empty}", "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"),
    ("{hello}", "QmWGeRAEgtsHW3ec7U4qW2CyVy7eA2mFRVbk1nb24jFyks"),
    (
        "{raw}",
        "bafkreibrl5n5w5wqpdcdxcwaazheualemevr7ttxzbutiw74stdvrfhn2m",
    ),
    ("{root}", "QmTCL2V9raoGudzK7sTHMXJfwuRNUXKVRjH7PmKYpzp3wt"),
    ("{root2}", "QmXwuRkVBM9a37gCEcwR2GtE5ASjzzHLTtSuZTNUNoUQw4"),
    (
        "{missing}",
        "QmQy6xmJhrcC5QLboAcGFcAE1tC8CrwDVkrHdEYJkLscrQ",
    ),
    ("{big}", "QmPLLdrvqF6qukdJPzfxNNBhVQncSXhRxuJs2rybrKihko"),
    (
        "{empty1}",
        "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354",
    ),
    (
        "{foreign}",
        "k51qzi5uqu5dgutdk6i1ynyzgkqngpha5xpgia3a5qqp4jsh0u4csozksxel2r",
    ),
];

fn every_answer_is_the_one_that_kubo_gave(node: &TestNode) {
    let steps = steps();
    let answers = ask(node, &steps);
    let current = fixture("kubo-answers.json");
    let older = fixture("kubo-0.31-answers.json");
    let is_current = !node.is_old_kubo();
    if node.is_kubo() && std::env::var_os("GUIX_IPFS_TEST_RECORD").is_some() {
        match is_current {
            true => write(&current, &answers),
            false => write(&older, &differing(&read(&current), answers)),
        }
        return;
    }
    let mut expected = read(&current);
    assert_eq!(
        expected.len(),
        steps.len(),
        "the answers are of other steps"
    );
    let older = read(&older);
    if node.is_kubo() && !is_current {
        for mut answer in older.clone() {
            let step = answer.as_object_mut().unwrap().remove("step").unwrap();
            expected[step.as_u64().unwrap() as usize] = answer;
        }
    }
    if !node.is_kubo() {
        print_counts(&steps, &expected, &older);
    }
    let mut differences = Vec::new();
    for ((step, expected), found) in steps.iter().zip(&expected).zip(&answers) {
        let is_right = match step.compared {
            Compared::Beyond if !node.is_kubo() => is_left_out(found),
            _ => expected == found,
        };
        if !is_right {
            differences.push(format!("Kubo {expected}\nhere {found}\n"));
        }
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

/// Whether the embedded node says that it cannot do this.
fn is_left_out(answer: &Value) -> bool {
    let text = answer["answer"][0]["Message"].as_str().unwrap_or_default();
    let is_refused = text.contains("the embedded node does not support");
    answer["status"] == 404 || (answer["status"] == 500 && is_refused)
}

fn ask(node: &TestNode, steps: &[Step]) -> Vec<Value> {
    let mut names: Vec<(String, String)> = NAMES
        .iter()
        .map(|(name, cid)| (name.to_string(), cid.to_string()))
        .collect();
    let own = node.json("key/list")["Keys"][0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    names.push(("{self}".to_owned(), own));
    let mut answers = Vec::new();
    for step in steps {
        let query = names.iter().fold(step.call.clone(), |call, (name, value)| {
            call.replace(name, value)
        });
        let answer = match &step.content {
            Some(content) => node.upload(&query, content),
            None => node.rpc(&query),
        };
        let mut body = answer.text();
        if step.call.starts_with("key/gen") && answer.status == 200 {
            let key: Value = serde_json::from_str(&body).unwrap();
            names.push(("{k1}".to_owned(), key["Id"].as_str().unwrap().to_owned()));
        }
        for (name, value) in &names {
            body = body.replace(value, name);
        }
        let lines = body.lines().map(|line| line_value(step, line));
        let mut lines: Vec<Value> = lines.collect();
        if step.compared == Compared::Shape {
            lines.dedup();
        }
        answers.push(json!({"call": step.call, "status": answer.status, "answer": lines}));
    }
    answers
}

/// A line as JSON where it is that, and only its keys where only those count.
fn line_value(step: &Step, line: &str) -> Value {
    let Ok(mut value) = serde_json::from_str::<Value>(line) else {
        return Value::String(line.to_owned());
    };
    if let (Compared::Shape, Some(fields)) = (step.compared, value.as_object_mut()) {
        for (_, field) in fields {
            *field = Value::Null;
        }
    }
    // What the parser of CIDs says of a text that is none.
    if let Some(Value::String(text)) = value.get_mut("Message")
        && let Some(at) = text.find("invalid cid:")
    {
        text.truncate(at + "invalid cid".len());
    }
    // Modes and times of files, which nobody asked for.
    let objects = value.get_mut("Objects").and_then(Value::as_array_mut);
    for object in objects.into_iter().flatten() {
        for link in object["Links"].as_array_mut().into_iter().flatten() {
            let link = link.as_object_mut().unwrap();
            link.remove("Mode");
            link.remove("ModTime");
        }
    }
    value
}

/// The answers that are not the expected ones, each with its step.
fn differing(expected: &[Value], answers: Vec<Value>) -> Vec<Value> {
    let pairs = expected.iter().zip(answers).enumerate();
    let differing = pairs.filter(|(_, (expected, found))| *expected != found);
    differing
        .map(|(step, (_, mut found))| {
            found["step"] = step.into();
            found
        })
        .collect()
}

fn read(path: &Path) -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// An answer a line, so that a difference can be read.
fn write(path: &Path, answers: &[Value]) {
    let lines: Vec<String> = answers.iter().map(Value::to_string).collect();
    std::fs::write(path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
}

/// A line a command: how many cases succeed, how many are refused, in how many
/// the old Kubo differs, and how many the embedded node leaves out.
fn print_counts(steps: &[Step], expected: &[Value], older: &[Value]) {
    let mut counts = BTreeMap::<&str, [u32; 4]>::new();
    for (at, (step, answer)) in steps.iter().zip(expected).enumerate() {
        let command = step.call.split('?').next().unwrap();
        let [succeed, refused, differ, left_out] = counts.entry(command).or_default();
        match answer["status"] == 200 {
            true => *succeed += 1,
            false => *refused += 1,
        }
        *differ += u32::from(older.iter().any(|older| older["step"] == at));
        *left_out += u32::from(step.compared == Compared::Beyond);
    }
    println!("| call | succeed | refused | Kubo 0.31 differs | embedded leaves out |");
    println!("| --- | --- | --- | --- | --- |");
    for (command, [succeed, refused, differ, left_out]) in &counts {
        println!("| {command} | {succeed} | {refused} | {differ} | {left_out} |");
    }
    let sum = |column: usize| counts.values().map(|row| row[column]).sum::<u32>();
    let sums: Vec<_> = (0..4).map(|column| sum(column).to_string()).collect();
    println!("| {} calls | {} |", counts.len(), sums.join(" | "));
}
