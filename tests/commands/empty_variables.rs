//! Variables that are set to nothing, as a service's file or a script leaves them.

use crate::support::{Mirror, TestNode, Upstream, run};
use guix_ipfs::cli;

on_both_nodes!(
    empty_variables_count_as_unset,
    empty_values_in_a_list_are_passed_over,
);

/// Every variable of the options, and those that others made up.
fn variables() -> Vec<String> {
    let command = cli::command();
    let verbs = command.get_subcommands();
    let args = verbs.flat_map(clap::Command::get_arguments);
    let args = args.chain(command.get_arguments());
    let mut variables: Vec<String> = args
        .filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned()))
        .collect();
    variables.sort();
    variables.dedup();
    assert!(variables.len() > 20, "{variables:?}");
    let others = [
        "GUIX_IPFS_API_AUTH",
        "IPFS_PATH",
        "XDG_DATA_HOME",
        "XDG_STATE_HOME",
        "XDG_CACHE_HOME",
        "http_proxy",
        "NO_COLOR",
    ];
    variables.extend(others.map(str::to_owned));
    variables
}

fn empty_variables_count_as_unset(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    for (verb, nothing) in [
        ("sync", ""),
        ("resolve", ""),
        ("verify", " "),
        ("sync -v", ""),
    ] {
        let options = format!("--api {} --upstream {}", node.api, upstream.url());
        let more = match verb {
            "resolve" => "",
            "verify" => "--allow-offline",
            _ => "--allow-offline --system x86_64-linux",
        };
        let mut command = mirror.command(&format!("{verb} {options} {more}"));
        for variable in variables() {
            let is_exact = ["XDG", "IPFS_PATH", "http", "AUTH"]
                .iter()
                .any(|it| variable.contains(it));
            command.env(variable, if is_exact { "" } else { nothing });
        }
        run(&mut command).exits(0);
    }
    assert_eq!(mirror.list().len(), 8);
    let mut command = mirror.command("resolve");
    command.env("GUIX_IPFS_API", "").env("HOME", "");
    command.env("IPFS_PATH", mirror.home());
    std::fs::write(mirror.home().join("api"), "/ip4/127.0.0.1/tcp/1").unwrap();
    run(&mut command).exits(75).says("127.0.0.1:1");
}

fn empty_values_in_a_list_are_passed_over(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let nothing = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    let urls = format!("  {}  {} ", nothing.url(), upstream.url());
    let keys = crate::support::fixture("signing-key.pub");
    let keys = format!(":{}::", keys.display());
    let mut command = mirror.command("sync");
    command
        .env("GUIX_IPFS_UPSTREAM", urls)
        .env("GUIX_IPFS_TRUSTED_KEYS", keys)
        .env("GUIX_IPFS_COMPRESSION", " gzip  zstd ");
    run(&mut command).silently();
    let long = mirror.run("resolve --long").exits(0).out;
    assert!(long.contains("gzip"), "{long}");
    assert!(!long.contains("lzip"), "{long}");
    // What is typed is meant.
    let run = mirror.run("sync --upstream=").exits(2);
    run.says("a value is required for '--upstream <URL>'");
}
