//! The bytes that a user and a host with `follow` fetch over a network of a mirror's nars:
//! encoded as delta nars, and as the upstream compresses them.

use crate::support::{Files, Item, Mirror, Network, Package, Upstream, item_with_nar};

/// An item and its nar.
struct Build {
    item: Item,
    nar: Vec<u8>,
}

impl Build {
    /// The upstream has its nar as one zstd frame of the highest usual level.
    fn new(number: u64, package: &Package, dependencies: u64) -> Self {
        let nar = package.nar(dependencies);
        let mut item = item_with_nar(number, "package", &nar);
        let gzip = item.nar();
        let zstd = zstd::bulk::compress(&nar, 19).unwrap();
        let narinfo = format!("{}.narinfo", item.hash);
        let text = String::from_utf8(item.files[&narinfo].clone()).unwrap();
        let size = item.files[&gzip].len();
        let text = text.replace(
            &format!("FileSize: {size}"),
            &format!("FileSize: {}", zstd.len()),
        );
        let text = text.replace("gzip", "zstd");
        item.files = Files::from([
            (narinfo, text.into_bytes()),
            (gzip.replace("gzip", "zstd"), zstd),
        ]);
        Self { item, nar }
    }
}

/// A publisher with a mirror of each encoding, a user, and a host that follows both.
struct Setting {
    network: Network,
    upstream: Upstream,
    publisher: Mirror,
    host: Mirror,
}

/// Bytes of blocks that came to the nodes.
struct Moved {
    user: u64,
    host: u64,
}

const ENCODINGS: [&str; 2] = ["upstream", "delta"];

impl Setting {
    fn new() -> Self {
        let network = Network::start(3);
        let upstream = Upstream::empty();
        Self {
            publisher: Mirror::new(&network[0], &upstream).online(),
            host: Mirror::new(&network[2], &upstream).online(),
            network,
            upstream,
        }
    }

    /// Mirrors builds in both encodings, fetches each with its narinfo through the user's
    /// gateway, and follows. Returns the bytes that came for each encoding.
    fn moved(&self, builds: &[Build]) -> [Moved; 2] {
        self.upstream
            .add_items(builds.iter().map(|build| &build.item));
        let hashes: Vec<&str> = builds.iter().map(|build| &*build.item.hash).collect();
        ENCODINGS.map(|encoding| {
            let key = format!("--key {encoding}");
            let add = format!("add --encoding {encoding} {} {key}", hashes.join(" "));
            self.publisher.run(&add).silently();
            let root = self.publisher.run(&format!("resolve {key}")).exits(0).out;
            let before = self.received();
            for build in builds {
                self.fetch(root.trim(), build);
            }
            let name = self.network[0].key_id(encoding).unwrap();
            self.host
                .run(&format!("follow --unsigned {name}"))
                .silently();
            let after = self.received();
            Moved {
                user: after.user - before.user,
                host: after.host - before.host,
            }
        })
    }

    fn fetch(&self, root: &str, build: &Build) {
        let user = &self.network[1];
        let narinfo = user.get(&format!("{root}/{}.narinfo", build.item.hash));
        assert_eq!(narinfo.status, 200, "{}", narinfo.text());
        let narinfo = narinfo.text();
        let line = |field: &str| {
            let mut lines = narinfo.lines();
            lines.find_map(|line| line.strip_prefix(field)).unwrap()
        };
        assert_eq!(line("Compression: "), "zstd");
        let file = user.get(&format!("{root}/{}", line("URL: ")));
        assert_eq!(file.status, 200);
        assert_eq!(file.body.len().to_string(), line("FileSize: "));
        // As `zstd -d` does, with the library that the program does not read with.
        let nar = zstd::stream::decode_all(file.body.as_slice()).unwrap();
        assert!(nar == build.nar, "{}", build.item.hash);
    }

    fn received(&self) -> Moved {
        let [user, host] = [1, 2].map(|node: usize| {
            let stat = self.network[node].json("bitswap/stat");
            stat["DataReceived"].as_u64().unwrap()
        });
        Moved { user, host }
    }
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_rebuild_moves_a_tenth_and_nothing_moves_half_as_much_again() {
    let setting = Setting::new();
    let texts =
        |seed: u64| (seed..seed + 12).fold(Package::new(), |it, seed| it.text(seed, 60_000));
    let packages = [
        Package::new()
            .program(1, 3 << 20)
            .text(2, 400_000)
            .text(3, 90_000),
        texts(10).program(30, 2 << 20).script(31, 40_000),
        texts(40).script(60, 300_000).script(61, 200_000),
    ];
    let builds = |first: u64, packages: &[Package], dependencies: u64| -> Vec<Build> {
        let numbered = (first..).zip(packages);
        let builds = numbered.map(|(number, it)| Build::new(number, it, dependencies));
        builds.collect()
    };
    let first = setting.moved(&builds(0, &packages, 1));
    let rebuilds = setting.moved(&builds(10, &packages, 2));
    // A fifth and nearly all of every third file, and other dependencies.
    let updated = |percent: u64| [packages[1].clone().updated(percent)];
    let updates = setting.moved(&builds(20, &updated(20), 3));
    let replaced = setting.moved(&builds(30, &updated(98), 4));
    for (what, [upstream, delta]) in [
        ("first fetch", first),
        ("rebuild", rebuilds),
        ("small update", updates),
        ("large update", replaced),
    ] {
        let most = if what == "rebuild" { 10 } else { 150 };
        for (who, upstream, delta) in [
            ("user", upstream.user, delta.user),
            ("host", upstream.host, delta.host),
        ] {
            let percent = delta * 100 / upstream;
            println!("{what}, {who}: {upstream} bytes as the upstream has it, {delta} as delta");
            assert!(percent <= most, "{what}, {who}: {percent} %");
        }
    }
}
