//! The demonstration of `scripts/demo`: a substitute server, a local store, the
//! program, and a look through the gateway at the published items.

use guix_ipfs::gateway::http::{Request, Response, Server};
use guix_ipfs::guix::{ExpectedNar, NarVerifier, Narinfo};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Two items of the fixtures that are not among the farm's latest builds.
const REST: [&str; 2] = [
    "ifcypyirz39fix6ji7mblpsp5nfhmm7k",
    "/gnu/store/j27dn2bh38aqgg30cc6qhdhdik1gzpr6-rig-odd?id=1.0",
];

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: demo FOLDER")?);
    let upstream = substitute_server()?;
    println!(
        "a substitute server over fixtures/ listens at {}",
        upstream.url()
    );
    let demo = Demo {
        program: std::env::current_exe()?.with_file_name("../guix-ipfs"),
        upstream: upstream.url(),
        folder,
    };
    let mut node = demo.node()?;
    let checked = demo.run(&node);
    node.process.kill()?;
    node.process.wait()?;
    checked
}

struct Demo {
    program: PathBuf,
    upstream: String,
    folder: PathBuf,
}

struct Node {
    process: Child,
    gateway: String,
}

impl Demo {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let api = format!("embedded:{}", self.folder.join("node").display());
        command
            .env("HOME", &self.folder)
            .env("XDG_STATE_HOME", self.folder.join("state"))
            .env("GUIX_IPFS_API", api)
            .env("GUIX_IPFS_UPSTREAM", &self.upstream)
            .args(arguments);
        command
    }

    /// Starts `guix-ipfs node` and learns the address of its gateway.
    fn node(&self) -> Result<Node> {
        println!("$ guix-ipfs node --gateway-port=0");
        let mut command = self.command(&["node", "--gateway-port=0"]);
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let out = process.stdout.take().ok_or("no output")?;
        let line = BufReader::new(out).lines().next();
        let line = line.ok_or("the node did not start")??;
        let gateway = line.trim_start_matches("gateway ").to_owned();
        println!("  its gateway is {gateway}");
        Ok(Node { process, gateway })
    }

    /// Runs the program, shows its output, and returns it.
    fn show(&self, arguments: &[&str]) -> Result<String> {
        println!("$ guix-ipfs {}", arguments.join(" "));
        let output = self.command(arguments).stderr(Stdio::piped()).output()?;
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        text.lines().for_each(|line| println!("  {line}"));
        if text.is_empty() {
            println!("  (done; it is silent without a terminal)");
        }
        match output.status.success() {
            true => Ok(text),
            false => Err(format!("it failed: {}", output.status).into()),
        }
    }

    fn run(&self, node: &Node) -> Result<()> {
        // The fixtures are builds for this system, whatever this machine is.
        self.show(&["sync", "--system", "x86_64-linux"])?;
        self.show(&["add", REST[0], REST[1]])?;
        self.show(&["resolve"])?;
        self.show(&["resolve", "--long"])?;
        let list = self.show(&["resolve", "--list"])?;
        let sum: Value = serde_json::from_str(&self.show(&["resolve", "--json"])?)?;
        let name = sum["name"].as_str().ok_or("no name")?;
        let base = format!("{}/ipns/{name}", node.gateway);
        println!("reading every narinfo and nar back from {base}");
        let mut nars = 0;
        for path in list.lines() {
            let hash = path
                .get("/gnu/store/".len()..)
                .and_then(|name| name.get(..32));
            let hash = hash.ok_or("no store path")?;
            nars += check(&base, hash)?;
        }
        let items = list.lines().count();
        println!("read {items} narinfos and {nars} nars;");
        println!("every nar has the NarHash, NarSize and FileSize that its narinfo says");
        Ok(())
    }
}

/// Reads a narinfo and all its nars through the gateway, and returns their number.
fn check(base: &str, hash: &str) -> Result<usize> {
    let mut bytes = Vec::new();
    let url = format!("{base}/{hash}.narinfo");
    get(&url)?.read_to_end(&mut bytes)?;
    let narinfo = Narinfo::parse(&bytes)?;
    for variant in &narinfo.variants {
        let nar = get(&format!("{base}/{}", variant.url))?;
        let mut verified = NarVerifier::new(nar, ExpectedNar::of(&narinfo, variant))?;
        io::copy(&mut verified, &mut io::sink())?;
    }
    Ok(narinfo.variants.len())
}

fn get(url: &str) -> Result<impl Read + Send + 'static> {
    let config = ureq::Agent::config_builder().proxy(None).build();
    let answer = ureq::Agent::new_with_config(config).get(url).call()?;
    Ok(answer.into_body().into_reader())
}

/// Serves the fixtures as `guix publish` and the build farm did.
fn substitute_server() -> io::Result<Server> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    Server::bind(0, move |request: &Request| {
        let path = percent_decode_str(&request.path).decode_utf8_lossy();
        let file = match path.trim_start_matches('/') {
            "api/latestbuilds" => fixtures.join("latestbuilds.json"),
            path => fixtures.join("substitute-server").join(path),
        };
        match std::fs::read(file) {
            Ok(content) => Response::new(200, "application/octet-stream", content),
            Err(_) => Response::text(404, "not found"),
        }
    })
}
